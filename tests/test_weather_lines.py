"""The weather node's files: whatever bytes are in them, what can be read is."""

from hypothesis import given
from hypothesis import strategies as st

from data_nodes.weather.dat import Dat
from data_nodes.weather.source import Source
from data_nodes.weather.table import Table
from sisock.times import NS

HEADER = "# Wind on the mast.\n# minutely\n# m/s\n"
numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
rows = st.lists(st.tuples(st.integers(0, 4_000_000_000), numbers), max_size=30)
junk = st.binary(max_size=80).map(lambda line: line.replace(b"\n", b" ").replace(b"#", b" "))


@given(rows, st.lists(st.tuples(st.integers(0, 30), junk), max_size=10))
def test_junk_between_the_lines_of_a_dat_file_costs_only_itself(rows, junk):
    lines = [f"{t} {value!r}".encode() for t, value in rows]
    for at, line in junk:
        lines.insert(at, line)
    good = [(float(t), float(value)) for t, value in rows]
    frame, unreadable = Dat(HEADER.encode()).parse(b"".join(line + b"\n" for line in lines))
    found = list(zip((frame.t / NS).tolist(), frame.columns[""].values.tolist(), strict=True))
    assert len(found) + unreadable <= len(lines)
    for each in good:
        assert each in found
        found.remove(each)
    assert len(found) <= len(junk)


@given(rows, st.lists(st.tuples(st.integers(0, 30), junk), max_size=10))
def test_junk_between_the_lines_of_a_table_costs_only_itself(rows, junk):
    lines = [f"{t},{value!r},text".encode() for t, value in rows]
    for at, line in junk:
        lines.insert(at, line)
    table = Table(b"time,value [m],word\n")
    table.parse(b"1,1,text\n")  # so that the types are known
    frame, _ = table.parse(b"".join(line + b"\n" for line in lines))
    found = list(zip((frame.t / NS).tolist(), frame.columns["value"].values.tolist(), strict=True))
    for t, value in rows:
        assert (float(t), float(value)) in found
    assert len(found) <= len(lines)


@given(st.binary(max_size=400), st.integers(0, 400), st.sampled_from([".dat", ".csv"]))
def test_any_bytes_read_in_two_parts_are_as_read_in_one(tmp_path_factory, text, cut, suffix):
    whole, parts = (tmp_path_factory.mktemp("any") / f"any{suffix}" for _ in range(2))
    whole.write_bytes(text)
    parts.write_bytes(text[:cut])
    once, twice = Source(whole), Source(parts)
    twice.refresh(parts.stat())
    with parts.open("ab") as file:
        file.write(text[cut:])
    once.refresh(whole.stat())
    twice.refresh(parts.stat())
    assert _times(once) == _times(twice)


def _times(source: Source) -> list[int]:
    return [] if source.frame is None else source.frame.t.tolist()
