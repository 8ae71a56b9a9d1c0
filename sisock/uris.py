"""The names that things may have, and the URIs made of them."""

import re
from collections.abc import Iterable
from typing import NamedTuple

NODE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
JOINT = "::"  # between node and field in a target, between timeline and field in a reduced answer


def check_node(name: object) -> str:
    """Return the node name; raise ValueError with the cure if it is outside the grammar."""
    return _named(name, "data node")


def check_principal(name: object) -> str:
    """Return the name of a principal, as of a person; raise ValueError with the cure if it is outside the same grammar."""
    return _named(name, "principal")


def _named(name: object, what: str) -> str:
    if not isinstance(name, str) or not NODE.fullmatch(name):
        raise ValueError(f"{name!r:.80} cannot name a {what}: use a letter, then up to 62 letters, digits, '_' or '-'")
    return name


def check_field(name: object, what: str = "field") -> str:
    """Return the name of a field (or timeline); raise ValueError with the cure if it is outside the grammar."""
    if not isinstance(name, str) or not 0 < len(name) <= 200 or not name.isprintable() or JOINT in name:
        raise ValueError(f"{name!r:.80} cannot name a {what}: use 1 to 200 printable characters without '{JOINT}'")
    return name


def split_target(target: object) -> tuple[str, str]:
    """Split `node::field`; raise ValueError with the cure for anything else."""
    if not isinstance(target, str) or JOINT not in target:
        cure = _meant(target) if isinstance(target, str) else ""
        raise ValueError(f"{target!r:.80} is not a target: {cure or f'write it as node{JOINT}field'}")
    node, field = target.split(JOINT, 1)
    return check_node(node), check_field(field)


def _meant(target: str) -> str:
    """What was probably meant where a target has one colon in place of two; nothing elsewhere."""
    node, colon, field = target.partition(":")
    return f"did you mean {node}{JOINT}{field:.80}?" if colon and field and NODE.fullmatch(node) else ""


def fields_of(targets: Iterable[str]) -> dict[str, list[str] | None]:
    """The fields of each node among targets `node::field`, each once; None, for all, where it stands alone as `node`.

    Raises ValueError with the cure for other text.
    """
    nodes: dict[str, list[str] | None] = {}
    for target in dict.fromkeys(targets):
        if JOINT not in target:
            if cure := _meant(target):
                raise ValueError(f"{target!r:.80} is not a target: {cure}")
            nodes[check_node(target)] = None
            continue
        node, field = split_target(target)
        fields = nodes.setdefault(node, [])
        if fields is not None:
            fields.append(field)
    return nodes


class Uris(NamedTuple):
    """Every URI that sisock uses, below one prefix."""

    prefix: str = "org.simonsobservatory"

    @property
    def add(self) -> str:
        return f"{self.prefix}.data_node.add"

    @property
    def subtract(self) -> str:
        return f"{self.prefix}.data_node.subtract"

    @property
    def get_data_node(self) -> str:
        return f"{self.prefix}.consumer.get_data_node"

    @property
    def added(self) -> str:
        return f"{self.prefix}.consumer.data_node_added"

    @property
    def subtracted(self) -> str:
        return f"{self.prefix}.consumer.data_node_subtracted"

    @property
    def hub_nodes(self) -> str:
        return f"{self.prefix}.hub.nodes"

    @property
    def measures(self) -> str:
        """Procedure of the hub that tells how it is doing."""
        return f"{self.prefix}.hub.measures"

    @property
    def news(self) -> str:
        """Topic of the hub: data nodes that came and went, several in one event."""
        return f"{self.prefix}.hub.news"

    @property
    def enroll(self) -> str:
        """Procedure of the hub by which a new machine leaves its public key."""
        return f"{self.prefix}.hub.enroll"

    @property
    def renew(self) -> str:
        """Procedure of the hub by which whoever has a certificate gets the next one."""
        return f"{self.prefix}.hub.renew"

    @property
    def principals(self) -> str:
        """Procedure of the hub by which an admin lists who may sign in."""
        return f"{self.prefix}.hub.principals"

    @property
    def revoke(self) -> str:
        """Procedure of the hub by which an admin takes back what a principal may."""
        return f"{self.prefix}.hub.revoke"

    @property
    def hub_started(self) -> str:
        return f"{self.prefix}.hub.started"

    @property
    def set_policy(self) -> str:
        """Procedure of the router worker by which the hub hands it the policy."""
        return f"{self.prefix}.router.set_policy"

    @property
    def sign_out(self) -> str:
        """Procedure of the router worker by which whoever signed in with a password gives the session's ticket back."""
        return f"{self.prefix}.router.sign_out"

    @property
    def refused(self) -> str:
        """Topic on which the router tells the hub who was refused in the name of a principal."""
        return f"{self.prefix}.router.refused"

    @property
    def authorize(self) -> str:
        """Procedure of the router worker that decides every action."""
        return f"{self.prefix}.router.authorize"

    @property
    def nodes_of_existing(self) -> re.Pattern[str]:
        """Matches the `get_data` URI of a node and gives its name, for rebuilding a listing from the router."""
        return re.compile(rf"{re.escape(self.prefix)}\.consumer\.({NODE.pattern})\.get_data")

    @property
    def archives(self) -> re.Pattern[str]:
        """Matches the `get_data` URI of a node's archive and gives the node's name."""
        return re.compile(rf"{re.escape(self.prefix)}\.archive\.({NODE.pattern})\.get_data")

    def node(self, name: str, what: str) -> str:
        """URI of a node's own procedure or topic: `get_fields`, `get_data`, `get_sample`, `live`, `prove`, and so on."""
        return f"{self.prefix}.consumer.{name}.{what}"

    def archive(self, name: str, what: str) -> str:
        """URI of a procedure by which a recorder answers for a node: `get_fields`, `get_data`, `get_sample`."""
        return f"{self.prefix}.archive.{name}.{what}"

    def error(self, kind: str) -> str:
        """URI of an error: `bad_request`, `not_authorized`, `failed`."""
        return f"{self.prefix}.error.{kind}"
