"""The weather node: files as people really leave them behind."""

import os
from pathlib import Path

import pytest

from data_nodes.weather.node import EXAMPLE, Weather
from data_nodes.weather.source import Source
from sisock.frames import Query
from sisock.times import NS

HEADER = "# Wind on the mast.\n# minutely\n# m/s\n"
EVER = (-(2**63), 2**63 - 1)


class Clock:
    """A clock that moves on when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def mast(tmp_path: Path) -> Path:
    """A file with two samples."""
    file = tmp_path / "mast.dat"
    file.write_text(f"{HEADER}100 1.5\n160 2.5\n")
    return file


@pytest.fixture
def node(mast: Path, clock: Clock) -> Weather:
    return Weather(folder=mast.parent, clock=clock)


def read(node: Weather, field: str = "mast") -> list[tuple[float, float]]:
    t, column = node.read(field, *EVER)
    return list(zip((t / NS).tolist(), column.values.tolist(), strict=True))


def append(file: Path, text: str) -> None:
    with file.open("a") as opened:
        opened.write(text)


# a file that grows


def test_what_is_appended_is_served_within_a_second(node: Weather, mast: Path, clock: Clock):
    assert read(node) == [(100, 1.5), (160, 2.5)]
    append(mast, "220 3.5\n")
    clock.now += 1
    assert read(node) == [(100, 1.5), (160, 2.5), (220, 3.5)]


def test_a_torn_last_line_counts_when_it_is_complete(node: Weather, mast: Path, clock: Clock):
    append(mast, "220 3.")
    assert read(node) == [(100, 1.5), (160, 2.5)]
    append(mast, "25\n280 4\n")
    clock.now += 1
    assert read(node) == [(100, 1.5), (160, 2.5), (220, 3.25), (280, 4)]


def test_only_what_is_new_is_read(mast: Path):
    append(mast, "".join(f"{t} 1\n" for t in range(200, 300)))
    source = Source(mast)
    assert source.refresh(mast.stat())
    before = source.frame
    assert not source.refresh(mast.stat())
    assert source.frame is before
    mast.write_bytes(mast.read_bytes().replace(b"100 1.5", b"unread.") + b"300 3.5\n")  # far from the end
    assert source.refresh(mast.stat())
    assert source.unreadable == 0
    assert source.frame is not None
    assert len(source.frame) == 103


def test_lines_that_come_late_find_their_place_and_the_later_of_equal_times_holds(
    node: Weather, mast: Path, clock: Clock
):
    read(node)
    append(mast, "130 9\n100 7\n130 8\n")
    clock.now += 1
    assert read(node) == [(100, 7), (130, 8), (160, 2.5)]


def test_a_file_that_was_cut_is_read_anew(node: Weather, mast: Path, clock: Clock):
    read(node)
    mast.write_text(f"{HEADER}100 1\n")
    clock.now += 1
    assert read(node) == [(100, 1)]


def test_a_file_that_was_cut_and_has_grown_beyond_is_read_anew(node: Weather, mast: Path, clock: Clock):
    read(node)
    mast.write_text(HEADER + "".join(f"{t} 0\n" for t in range(100)))
    clock.now += 1
    assert len(read(node)) == 100


def test_a_file_that_was_replaced_is_read_anew(node: Weather, mast: Path, clock: Clock):
    read(node)
    other = mast.with_suffix(".new")
    other.write_text(mast.read_text().replace("1.5", "9.5"))
    other.replace(mast)
    clock.now += 1
    assert read(node) == [(100, 9.5), (160, 2.5)]


def test_a_value_corrected_in_place_is_read_anew(node: Weather, mast: Path, clock: Clock):
    read(node)
    before = mast.stat()
    with mast.open("r+b") as file:
        file.write(mast.read_bytes().replace(b"1.5", b"6.5"))
    os.utime(mast, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    clock.now += 1
    assert read(node) == [(100, 6.5), (160, 2.5)]


def test_a_header_still_being_written_is_waited_for(node: Weather, mast: Path, clock: Clock):
    young = mast.with_name("young.dat")
    young.write_text("# Rain.\n# min")
    assert "young" not in node.fields
    append(young, "utely\n# mm\n100 0.5\n")
    clock.now += 1
    assert node.fields["young"].units == "mm"
    assert read(node, "young") == [(100, 0.5)]


def test_files_that_come_and_go_are_fields_that_come_and_go(node: Weather, mast: Path, clock: Clock):
    assert list(node.fields) == ["mast"]
    (mast.parent / "deeper").mkdir()
    mast.rename(mast.parent / "deeper" / "roof.dat")
    clock.now += 1
    assert list(node.fields) == ["deeper/roof"]


# timelines


def test_a_file_ahead_of_another_shares_its_timeline(node: Weather, mast: Path, clock: Clock):
    mast.with_name("dome.dat").write_text(f"{HEADER}100 1\n160 2\n")
    assert {field.timeline for field in node.fields.values()} == {"minutely"}
    append(mast, "220 3\n")
    clock.now += 1
    assert {field.timeline for field in node.fields.values()} == {"minutely"}


def test_files_that_do_not_agree_have_timelines_of_their_own(node: Weather, mast: Path):
    mast.with_name("dome.dat").write_text(f"{HEADER}100 1\n130 2\n160 2\n")
    assert {name: field.timeline for name, field in node.fields.items()} == {
        "dome": "minutely (dome)",
        "mast": "minutely (mast)",
    }


def test_no_file_can_take_the_timeline_of_the_nodes_health(node: Weather, mast: Path):
    mast.write_text("# Wind.\n# health\n# m/s\n100 1\n")
    assert node.fields["mast"].timeline == "health (mast)"


def test_no_file_can_take_a_field_of_the_nodes_health(node: Weather, mast: Path):
    mast.rename(mast.with_name("health.state.dat"))
    assert list(node.fields) == ["health.state (2)"]


def test_fields_of_files_with_the_same_name_are_told_apart(node: Weather, mast: Path):
    mast.with_suffix(".csv").write_text("time,x\n1,2\n")
    (mast.parent / "mast").mkdir()
    (mast.parent / "mast" / "x.dat").write_text(f"{HEADER}1 2\n")
    assert sorted(node.fields) == ["mast", "mast/x", "mast/x (2)"]


async def test_an_answer_has_missing_values_where_one_file_is_ahead(node: Weather, mast: Path):
    mast.with_name("dome.dat").write_text(f"{HEADER}100 1\n160 2\n220 3\n")
    answer = await node.service().get_data(Query(("mast", "dome"), *EVER))
    (part,) = answer.parts
    assert part.points.t.tolist() == [100 * NS, 160 * NS, 220 * NS]
    missing = part.points.columns["mast"].missing
    assert missing is not None
    assert missing.tolist() == [False, False, True]


# limits and refusals


def test_what_is_beyond_the_memory_allowed_is_left_out_and_told_once(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
):
    for name in "abc":
        (tmp_path / f"{name}.dat").write_text(f"{HEADER}1 1\n")
    node = Weather(folder=tmp_path, most_bytes=100, clock=clock)
    assert list(node.fields) == ["a", "b"]
    clock.now += 1
    assert list(node.fields) == ["a", "b"]
    assert [record.getMessage() for record in caplog.records if "most_bytes" in record.getMessage()] == [
        f"{tmp_path}/c.dat: left out, since the archive is larger than 100 bytes: raise most_bytes"
    ]


def test_what_cannot_be_read_is_told_once_however_it_grows(
    node: Weather, mast: Path, clock: Clock, caplog: pytest.LogCaptureFixture
):
    append(mast, "odd\n")
    assert node.fields["mast"].description == "Wind on the mast. (1 unreadable values left out)"
    append(mast, "odder\n")
    mast.with_name("plain.dat").write_text("1 1\njunk\n")
    clock.now += 1
    assert node.fields["plain"].description == "(1 unreadable values left out)"
    assert node.fields["mast"].description == "Wind on the mast. (2 unreadable values left out)"
    assert [record.getMessage() for record in caplog.records] == [
        f"{mast}: 1 unreadable values left out",
        f"{mast.with_name('plain.dat')}: 1 unreadable values left out",
    ]


def test_a_folder_that_is_not_there_is_refused_with_the_cure(tmp_path: Path):
    with pytest.raises(ValueError, match="there is no folder .*/nowhere': set the weather node's folder"):
        Weather(folder=tmp_path / "nowhere")


# the example that comes along


def test_the_example_archive_is_small_and_whole():
    assert sum(file.stat().st_size for file in EXAMPLE.rglob("*")) < 500_000
    node = Weather()
    assert len(node.fields) == 11
    for name, field in node.fields.items():
        t, column = node.read(name, *EVER)
        assert len(t) in (1461, 8759), name
        assert column.present().all(), name
        assert field.units or field.type == "string", name
        assert "unreadable" not in (field.description or ""), name
    assert {str(file.relative_to(EXAMPLE)) for file in EXAMPLE.rglob("*.*") if file.suffix != ".md"} == {
        *(f"{name}.dat" for name in node.fields if not name.startswith("new_york")),
        "new_york.csv",
    }
