"""What is known to be there: nodes and their fields, read once and again when the hub tells of a change."""

import itertools
import logging
import threading
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

from grafana_json.changes import Change, Changes
from grafana_json.source import Source
from grafana_json.targets import Known, Tags
from sisock.consumer import Node
from sisock.errors import ConsumerError, NoHub
from sisock.frames import Field

log = logging.getLogger(__name__)
_OLD = 30.0  # seconds after which what is known is read again, in the background
_MOST_FIELDS = 10_000  # of a node
READERS = 8  # nodes asked for their fields at the same time


class Directory:
    """Nodes, their fields and their comings and goings. Any thread may ask; threads of its own read."""

    def __init__(self, source: Source, deadline: float, readers: int = READERS, *, tells: bool = False) -> None:
        """Keep nobody waiting for longer than the deadline, in seconds; ask so many nodes at the same time.

        `tells`: ask the hub how it is doing, too.
        """
        self.changes = Changes()
        self._source, self._deadline = source, deadline
        self._news = threading.Condition()
        self._nodes: dict[str, Node] = {}
        self._hub: Mapping[str, int] = {}
        self._fields: dict[str, Mapping[str, Field]] = {}
        self._known: Known | None = None  # both together, once somebody has asked since they changed
        self._asked_at: dict[str, float] = {}  # when a node was last asked for its fields, monotonic
        self._asking: set[str] = set()
        self._closed, self._tells = False, tells
        self._lister = ThreadPoolExecutor(1, "directory")  # whose threads end with it
        self._readers = ThreadPoolExecutor(readers, "directory")
        self._listed_at: float | None = None
        self._trouble: ConsumerError | None = None
        self._told: dict[str, str] = {}  # why a node's fields, or "" the listing, are not known, as it was last logged
        self._wanted = False  # a round of reading that has not begun
        self._heard, self._read_up_to = 1, 0  # news of the hub, counted
        self._losses = 0  # of the connection
        source.on_event(self._hear)
        source.on_lost(self._lose)
        with self._news:
            self._want()

    def close(self) -> None:
        """Read no more."""
        with self._news:
            self._closed = True
        for each in (self._lister, self._readers):
            each.shutdown(wait=False, cancel_futures=True)

    # asking

    def at_hand(self, nodes: Collection[str] = ()) -> Known:
        """What is known now; what is old is read again meanwhile.

        Only while the very first listing is read, fields of the `nodes` are waited for.
        """
        with self._news:
            self._news.wait_for(lambda: self._read_up_to or self._fields.keys() >= set(nodes), self._deadline)
            if self._listed_at is None or time.monotonic() - self._listed_at > _OLD:
                self._want()
            if self._known is None:
                self._known = {name: self._fields.get(name, {}) for name in self._nodes}
            return self._known

    def known(self) -> Known:
        """What is known, the latest news of the hub included, as far as nodes answer in time.

        Raises ConsumerError while nothing is known, because there is no hub.
        """
        with self._news:
            if self._listed_at is None:
                self._hear_news()
            latest = self._heard
            self._news.wait_for(lambda: self._read_up_to >= latest, self._deadline)
            if self._listed_at is None:
                raise self._trouble or NoHub(f"the hub has not answered within {self._deadline:g} s")
        return self.at_hand()

    def fields(self, node: str) -> Mapping[str, Field] | None:
        """The fields of a node; None if they are not known."""
        with self._news:
            return self._fields.get(node)

    def nodes(self) -> Mapping[str, Node]:
        """The nodes as the hub lists them, as far as is known now."""
        return self._nodes  # never changed in place

    def hub(self) -> Mapping[str, int]:
        """How the hub is doing, by name, as it last told."""
        with self._news:
            return self._hub

    def tags(self) -> Tags:
        """The tags of each node."""
        return {name: node.tags for name, node in self.nodes().items()}

    # hearing

    def _hear(self, what: str, node: Node) -> None:
        """Take news of the hub: a node that came may have other fields than it had."""
        since = node.since or time.time_ns()
        self.changes.add(Change(since, node.name, "up" if what == "added" else "away", node.description))
        with self._news:
            self._asked_at.pop(node.name, None)
            self._hear_news()

    def _lose(self) -> None:
        """Know of no node until the next listing: this principal may see fewer of them when it comes back."""
        with self._news:
            self.changes.hide()
            self._nodes, self._known = {}, None
            self._losses += 1
            self._hear_news()

    def _hear_news(self) -> None:
        self._heard += 1
        self._want()

    def _want(self) -> None:
        """Have the listing read, once more if that is under way; called with `_news` held."""
        if not self._wanted and not self._closed:
            self._wanted = True
            self._lister.submit(self._round)

    # reading

    def _round(self) -> None:
        """Read the listing, and fields as far as nodes answer in time."""
        with self._news:
            self._wanted, latest = False, self._heard
        due = self._try_to_list()
        with self._news:
            self._news.wait_for(lambda: self._asking.isdisjoint(due), self._deadline)
            self._read_up_to = latest
            self._news.notify_all()

    def _try_to_list(self) -> set[str]:
        """As `_list`; none where the listing cannot be had: what is known stays."""
        try:
            due = self._list()
        except Exception as error:  # noqa: BLE001  # whatever it is, the next listing may be sound
            self._trouble = error if isinstance(error, ConsumerError) else ConsumerError(f"no listing: {error!r:.500}")
            self._tell("", str(self._trouble))
            return set()
        self._tell("", "")
        return due

    def _list(self) -> set[str]:
        """Read the listing; the nodes that are now asked for their fields: new, changed or long not asked."""
        losses = self._losses
        nodes = {node.name: node for node in self._source.nodes()}
        hub = self._source.measures() if self._tells else {}
        now = time.monotonic()
        with self._news:
            if self._losses != losses:  # meanwhile: it may see fewer of them now
                return set()
            self.changes.reveal(nodes)
            for node in nodes.values():
                self.changes.add(Change(node.since, node.name, node.state, node.description))
            self._nodes, self._hub, self._listed_at = nodes, hub, now
            self._fields = {name: fields for name, fields in self._fields.items() if name in nodes}
            self._known = None
            self._asked_at = {name: at for name, at in self._asked_at.items() if name in nodes}
            self._told = {name: why for name, why in self._told.items() if name in nodes or not name}
            answering = {name for name, node in nodes.items() if node.state == "up" or node.kept_by} - self._asking
            due = {name for name in answering if now - self._asked_at.get(name, -_OLD) >= _OLD}
            self._asked_at.update(dict.fromkeys(due, now))
            if self._closed:
                return set()
            self._asking |= due
            for name in due:
                self._readers.submit(self._take, name)
        return due

    def _take(self, name: str) -> None:
        """Read the fields of a node."""
        fields = self._read(name)
        with self._news:
            self._asking.discard(name)
            if fields is not None:
                self._fields[name], self._known = fields, None
            self._news.notify_all()

    def _read(self, node: str) -> Mapping[str, Field] | None:
        """The fields of a node; None if it does not tell: it keeps those it had, and panels say what is wrong."""
        try:
            fields, _ = self._source.fields(node, 0, 0)
            read = dict(itertools.islice(fields.items(), _MOST_FIELDS))
        except Exception as error:  # noqa: BLE001  # whatever it is, other nodes have fields, too
            self._tell(node, str(error) if isinstance(error, ConsumerError) else f"{error!r:.500}")
            return None
        self._tell(node, "")
        return read

    def _tell(self, node: str, why: str) -> None:
        """Log why the node's fields, or "" the listing, are not known, or that they are again; once per change."""
        with self._news:
            changed = self._told.get(node, "") != why
            self._told[node] = why
        if changed:
            level = logging.WARNING if why else logging.INFO
            what = f"fields of {node}" if node else "listing of nodes"
            log.log(level, "%s %s", what, f"unknown: {why}" if why else "known again")
