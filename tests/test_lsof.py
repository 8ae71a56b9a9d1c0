"""The lsof node: every record, as lsof said it."""

import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_nodes.lsof import parser
from data_nodes.lsof.node import Lsof
from data_nodes.lsof.tally import Tally
from sisock.frames import Frame, concat
from sisock.nodes import CommandNode, NoData


def by_timeline(frames: Iterable[Frame]) -> dict[str, Frame]:
    of: dict[str, list[Frame]] = {}
    for frame in frames:
        of.setdefault(frame.timeline, []).append(frame)
    return {timeline: concat(pieces) for timeline, pieces in of.items()}


async def scan(node: Lsof) -> dict[str, Frame]:
    return by_timeline(await node.sample())


def values(frame: Frame, name: str) -> list:
    column = frame.columns[name]
    missing = [False] * len(frame) if column.missing is None else column.missing.tolist()
    return [None if gone else value for gone, value in zip(missing, column.values.tolist(), strict=True)]


async def test_every_record_of_the_real_command_is_there_with_its_type(peer: Callable[[str], str], tmp_path: Path):
    lsof = peer("lsof")
    odd = [(tmp_path / name).open("w") for name in ("new\nline", "ümläut", "a::b", " blank")]
    output = subprocess.run([lsof, *Lsof.argv[1:]], capture_output=True, timeout=30, check=False).stdout
    for file in odd:
        file.close()
    records = by_timeline(Lsof().parse(output.decode("utf-8", "replace")))["records"]
    lines = [line for line in output.split(b"\0\n") if line.startswith(b"f")]
    assert len(records) == len(lines) > 100
    said = [next((part[1:].decode() for part in line.split(b"\0") if part.startswith(b"t")), None) for line in lines]
    assert values(records, "type") == said
    names = [
        name for pid, name in zip(values(records, "pid"), values(records, "name"), strict=True) if pid == os.getpid()
    ]
    assert {name for name in names if name and str(tmp_path) in name} >= {
        f"{tmp_path}/new\\nline",
        f"{tmp_path}/a::b",
        f"{tmp_path}/ blank",
    }


async def test_counts_are_those_of_the_records(peer: Callable[[str], str]):
    peer("lsof")
    frames = await scan(Lsof())
    counts, records = frames["counts"], frames["records"]
    assert set(records.t.tolist()) == {counts.t[0]}
    number = {name: column.values.tolist()[0] for name, column in counts.columns.items()}
    assert number["total"] == len(records)
    assert number["processes"] == len(set(values(records, "pid")))
    assert number["unreadable"] == 0
    for group, field in (("type", "type"), ("user", "user"), ("process", "command")):
        of_records = Counter(values(records, field))
        for name, count in number.items():
            if name.startswith(f"{group}/") and name != f"{group}/(others)":
                assert count == of_records[name.removeprefix(f"{group}/")]
        assert sum(count for name, count in number.items() if name.startswith(f"{group}/")) == len(records)


async def test_a_missing_command_is_told_with_the_cure(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Exception, match="'lsof' is not installed .* apt-get install lsof"):
        await Lsof().sample()


def test_an_empty_listing_is_no_data():
    with pytest.raises(NoData, match="lsof listed no open file"):
        Lsof().parse("")


def test_the_node_is_sensitive():
    assert Lsof.sensitive
    assert issubclass(Lsof, CommandNode)


# anything at all

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
files = st.fixed_dictionaries({"f": text}, optional={"t": text, "n": text, "D": text, "s": text, "a": text})
processes = st.lists(
    st.tuples(st.fixed_dictionaries({"p": text}, optional={"c": text, "L": text}), st.lists(files, max_size=6)),
    max_size=6,
)
junk = st.lists(text.filter(lambda line: line[:1] not in ("", "f", "p") and not line.endswith("\0")), max_size=5)


def line(parts: dict[str, str]) -> str:
    """As lsof prints it: p or f stands first."""
    ordered = sorted(parts.items(), key=lambda part: part[0] not in "pf")
    return "".join(f"{letter}{rest}\0" for letter, rest in ordered) + "\n"


@given(processes, junk, st.randoms(use_true_random=False), st.sampled_from([1, 2, 3, 2000]))
def test_junk_never_costs_a_record(machine, odd, random, most):
    lines = [line(each) for process, of in machine for each in (process, *of)]
    for each in odd:
        lines.insert(random.randint(0, len(lines)), f"{each}\0\n")
    pieces = list(parser.scan("".join(lines), most=most))
    expected = [(process, file) for process, of in machine for file in of]
    assert sum(found.unreadable for found in pieces) == len(odd)
    assert all(len(found.files) <= most for found in pieces)
    frame = concat(Frame("records", found.owner, parser.records(found)) for found in pieces)
    assert values(frame, "type") == [file.get("t") for _, file in expected]
    assert values(frame, "name") == [file.get("n") for _, file in expected]
    assert values(frame, "command") == [process.get("c") for process, _ in expected]
    for group in ("type", "user", "process"):
        assert sum(parser.counts(found)[group].total() for found in pieces) == len(expected)


@given(st.text(max_size=300))
def test_no_text_at_all_raises(output):
    for found in parser.scan(output):
        assert all(len(column.values) == len(found.files) for column in parser.records(found).values())


@given(
    st.lists(st.dictionaries(st.text(max_size=8) | st.just("(others)"), st.integers(1, 1000), max_size=12), max_size=20)
)
@example([{"(others)": 1}])
def test_a_tally_always_sums_up_and_stays_small(scans):
    tally, before = Tally("type", 2), set()
    for counts in scans:
        fields = tally.fields(counts)
        assert sum(fields.values()) == sum(counts.values())
        assert before <= set(fields)
        assert len(fields) <= 21
        before = set(fields)
