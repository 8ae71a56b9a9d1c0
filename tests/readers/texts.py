"""Readers of texts of others: logs that are recovered, what sources read, and the tables that describe them."""

import contextlib
from pathlib import Path

from benchmarks.streams_recover import write
from data_nodes.sources import loading
from data_nodes.sources.following import Follower
from data_nodes.sources.shaping import Shaping
from data_nodes.sources.spec import read
from sisock.imports.recovering import RecoverFailed, Wanted, recover
from sisock.parsers.choosing import PARSERS
from sisock.store.quarantine import Quarantine
from tests.hostile_reading import Reader
from tests.mutants import damaged, reworded

_HOME = Path(loading.__file__).parent
_NOW = 1_700_000_000 * 10**9
_WAYS = [{}, *({"parser": each} for each in PARSERS if each != "regex"), {"columns": ["a", "b"], "time": "a"},
         {"regex": r"^(?P<t>\S+) (?P<n>[0-9.]+)", "time": "t"}, {"records": "data/items", "parser": "json"}]  # fmt: skip
_SPECS = [read("[x]", {"file": "x", **way}, Path()) for way in _WAYS]


def _recover(data: bytes, folder: Path) -> None:
    (folder / "x.log").write_bytes(data)
    for form in ("", "log", "json", "csv"):
        with contextlib.nullcontext() if not form else contextlib.suppress(RecoverFailed):  # it may be of another
            wanted = Wanted("n", "t", {}, form)
            recover(folder / "x.log", wanted, folder / "archive", Quarantine(folder, "n"), lambda share: None)


def _logs(folder: Path) -> list[bytes]:
    write(folder / "x.log", 3000)
    write(folder / "y.log", 3000, seed=2)
    return [
        (folder / "x.log").read_bytes(),
        (folder / "y.log").read_bytes(),
        b'{"time": 1767225600, "a": {"b": 1}}\n{"time": "2026-01-01", "a": {"b": [1, 2]}}\n',
        b"time,a,b\n2026-01-01 00:00:00,1,x\n2026-01-01 00:00:01,2,y\n",
        b"2026-01-01T00:00:00Z temp=1 door=open\n[2026-01-01 00:00:01] INFO: -2.5\n",
    ]


def _text(data: bytes, folder: Path) -> None:
    text = data.decode("utf-8", "replace")
    for spec in _SPECS:
        parsed = spec.parse(text)
        _, refused = Shaping(spec).frame(parsed, _NOW)
        assert parsed.rows or refused or not text.strip() or spec.wanted.parser == "csv", spec.wanted


def _texts(folder: Path) -> list[bytes]:
    return [*((case / "input").read_bytes() for case in sorted((_HOME / "testcases").iterdir())), *_logs(folder)]


def _follow(data: bytes, folder: Path) -> None:
    path = folder / "x.log"
    path.write_bytes(data)
    place = None
    for begin in ("beginning", "last", "end"):
        follower = Follower(path, 200, begin)
        follower.resume(place)
        while batch := follower.read():
            place = batch.place
        follower.close()


def _table(data: bytes, folder: Path) -> None:
    (folder / "lab.toml").write_bytes(data)
    for kind in loading.nodes(folder / "lab.toml"):
        kind()


def _tables(folder: Path) -> list[bytes]:
    return [
        (_HOME / "sample.toml").read_bytes(),
        b'[uptime]\ncommand = ["cat", "/proc/uptime"]\ncolumns = ["up", "idle"]\n',
    ]


READERS = {
    "recover": Reader(_recover, _logs, (RecoverFailed, OSError), damaged, share=4),
    "text of a source": Reader(_text, _texts, (), reworded),
    "file of a source": Reader(_follow, _logs, (), damaged),
    "table of a source": Reader(_table, _tables, (ValueError,), reworded),
}
