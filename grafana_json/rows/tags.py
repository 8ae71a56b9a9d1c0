"""Entity tags (RFC 9110, 8.8.3): by them who asks again is told that nothing has changed, if need be without asking a node.

A tag is a digest of what was answered. Where that can never change it goes on with the time of the answer and a code that
only the bridge can make, for this question of this asker: who comes with it gets no more than that it was so. A day
later, when the asker was away, or when the bridge was started again, the question is asked anew.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakKeyDictionary

import orjson

from grafana_json.directory import Directory
from grafana_json.rows.tables import Cells, Constant, Moments, Table

LASTING = 86_400  # seconds for which an answer that can never change is not asked again
CODINGS = ("-gzip", "-zstd")  # what a tag ends with where the answer was compressed


class Tags:
    """Makes tags, and tells those that it made; any thread may ask."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Take the time of this clock, in UNIX seconds."""
        self._clock = clock
        self._keys: WeakKeyDictionary[Directory, bytes] = WeakKeyDictionary()  # an asker is known by its directory
        self._lock = threading.Lock()

    def lasting(self, who: Directory, question: str, digest: str) -> str:
        """The tag of an answer that can never change."""
        when = f"{int(self._clock()):x}"
        return f"{digest}.{when}.{self._code(who, question, digest, when)}"

    def find(self, who: Directory, question: str, given: Iterable[str]) -> str | None:
        """The tag among these by which the answer to this question is known not to have changed; None if there is none."""
        return next((tag for tag in given if self._is_lasting(who, question, plain(tag))), None)

    def _is_lasting(self, who: Directory, question: str, tag: str) -> bool:
        digest, _, rest = tag.partition(".")
        when, _, code = rest.partition(".")
        if not hmac.compare_digest(code.encode(), self._code(who, question, digest, when).encode()):
            return False
        return self._clock() - int(when, 16) < LASTING

    def _code(self, who: Directory, question: str, digest: str, when: str) -> str:
        with self._lock:
            key = self._keys.setdefault(who, secrets.token_bytes(32))
        return hmac.new(key, f"{digest}\n{when}\n{question}".encode(), hashlib.sha256).hexdigest()[:32]


def plain(tag: str) -> str:
    """The tag of the answer as it was before it was compressed."""
    return next((tag.removesuffix(coding) for coding in CODINGS if tag.endswith(coding)), tag)


def same(digest: str, given: Iterable[str]) -> str | None:
    """The tag among these that is of an answer with this digest."""
    return next((tag for tag in given if plain(tag).partition(".")[0] == digest), None)


def digest(form: str, table: Table, about: Any = None) -> str:
    """A digest of what is answered in this form."""
    found = hashlib.blake2b(orjson.dumps([form, *table.heads, about], default=str), digest_size=16)
    for block in table.blocks:
        for cells in block.cells:
            for part in _bytes(cells):
                found.update(len(part).to_bytes(8, "big"))
                found.update(part)
    return found.hexdigest()


def _bytes(cells: Cells) -> list[Any]:
    if isinstance(cells, Constant):
        return [orjson.dumps(cells.text)]
    values = cells.t if isinstance(cells, Moments) else cells.values
    there = orjson.dumps(values.tolist()) if values.dtype.kind == "T" else values.tobytes()
    return [values.dtype.kind.encode(), there, b"" if cells.missing is None else cells.missing.tobytes()]
