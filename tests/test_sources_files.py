"""A file that is followed: each line once, whatever happens to the file and to who follows it."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_nodes.sources.following import Follower

LONGEST = 100


class Log:
    """A file that is written, rotated and cut, and somebody who follows it."""

    def __init__(self, folder: Path, begin: str = "beginning") -> None:
        self.path, self.begin = folder / "x.log", begin
        self.written, self.read = list[bytes](), list[bytes]()
        self.refused, self.place = list[str](), None
        self.clock = 1_000_000_000
        self.follower = self.start()

    def start(self) -> Follower:
        follower = Follower(self.path, LONGEST, self.begin)
        follower.resume(self.place)
        return follower

    def restart(self) -> None:
        self.follower.close()
        self.follower = self.start()

    def write(self, text: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(text)
        self.tick()

    def line(self, text: bytes) -> None:
        self.write(text + b"\n")
        self.written.append(text)

    def tick(self) -> None:
        """Each change is at another time, as with people."""
        self.clock += 1
        os.utime(self.path, (self.clock, self.clock))

    def rotate(self, copy: bool = False) -> None:
        if not self.path.exists():
            return
        self.tick()
        old = sorted(self.path.parent.glob("x.log.*"), key=lambda each: -int(each.suffix[1:]))
        for each in old:
            each.rename(self.path.with_name(f"x.log.{int(each.suffix[1:]) + 1}"))
        first = self.path.with_name("x.log.1")
        if copy:
            first.write_bytes(self.path.read_bytes())
            os.utime(first, (self.clock, self.clock))
            os.truncate(self.path, 0)
            self.tick()
        else:
            self.path.rename(first)

    def look(self) -> None:
        """Read on until there is nothing."""
        try:
            while batch := self.follower.read():
                self.read += batch.lines
                self.refused += [each.reason for each in batch.refused]
                self.place = batch.place
        except FileNotFoundError:
            return

    def close(self) -> None:
        self.follower.close()


@pytest.fixture
def log(tmp_path: Path):
    made = Log(tmp_path)
    yield made
    made.close()


STEPS = st.lists(st.sampled_from(["line", "part", "rotate", "copy", "look", "restart"]), min_size=5, max_size=40)


@given(STEPS)
@settings(max_examples=150)
def test_every_line_comes_once_however_the_file_is_rotated_and_whoever_dies(steps):
    with tempfile.TemporaryDirectory() as folder:
        log = Log(Path(folder))
        for number, step in enumerate(["line", "look", *steps, "line", "look"]):
            if step == "line":
                log.line(b"line %d" % number)
            elif step == "part":
                log.write(b"half ")
                log.line(b"and half %d" % number)
                log.written[-1] = b"half " + log.written[-1]
            elif step in ("rotate", "copy"):
                if step == "copy":
                    log.look()  # who copies and cuts may lose what nobody has read yet, where nothing else was
                log.rotate(copy=step == "copy")
            else:
                {"look": log.look, "restart": log.restart}[step]()
        log.close()
        assert log.read == log.written
        assert log.refused == []


def test_a_line_that_is_being_written_waits_for_its_end(log):
    log.write(b"a li")
    log.look()
    assert log.read == []
    log.write(b"ne\nnext")
    log.look()
    assert log.read == [b"a line"]


def test_a_line_that_its_file_never_ended_is_told_and_the_next_file_is_read(log):
    log.write(b"whole\ntorn")
    log.look()
    log.rotate()
    log.write(b"next\n")
    log.look()
    assert log.read == [b"whole", b"next"]
    assert log.refused == ["the file ended within this line"]


@pytest.mark.parametrize("size", [LONGEST + 1, 3 * 2**20])
def test_a_line_that_is_too_long_is_told_once_and_costs_only_itself(log, size):
    log.write(b"before\n" + b"x" * size)
    log.look()
    log.restart()
    log.look()
    log.write(b"x" * 10 + b"\nafter\n")
    log.look()
    assert log.read == [b"before", b"after"]
    assert log.refused == [f"a line is longer than {LONGEST} bytes"]


def test_what_was_copied_away_before_the_file_was_cut_is_read_there(log):
    log.line(b"1")
    log.look()
    log.line(b"2")
    log.rotate(copy=True)
    log.line(b"3")
    log.look()
    assert log.read == [b"1", b"2", b"3"]


def test_a_file_that_is_cut_and_grows_beyond_its_old_length_is_read_from_its_beginning(log):
    log.line(b"old line")
    log.look()
    log.path.write_bytes(b"new line one\nnew line two\n")
    log.look()
    assert log.read == [b"old line", b"new line one", b"new line two"]


def test_several_rotations_while_nobody_looked_are_read_one_after_the_other(log):
    log.line(b"0")
    log.look()
    for number in range(1, 5):
        log.line(b"%d" % number)
        log.rotate()
    log.line(b"5")
    log.restart()
    log.look()
    assert log.read == [b"%d" % number for number in range(6)]


def test_a_file_that_was_packed_away_unread_is_told(log):
    log.line(b"1")
    log.look()
    log.rotate()
    log.path.with_name("x.log.1").rename(log.path.with_name("x.log.1.gz"))
    log.line(b"something else")
    log.restart()
    log.look()
    assert log.read == [b"1", b"something else"]
    assert log.refused == ["the file is not there any more as it was read: lines may be missing"]


def test_at_the_end_means_behind_the_last_whole_line(tmp_path):
    (tmp_path / "x.log").write_bytes(b"old\nbegun ")
    log = Log(tmp_path, "end")
    log.write(b"now\nnew\n")
    log.look()
    log.close()
    assert log.read == [b"begun now", b"new"]


def test_a_trial_shows_the_last_lines(tmp_path):
    (tmp_path / "x.log").write_bytes(b"".join(b"%d\n" % number for number in range(100)))
    log = Log(tmp_path, "last")
    log.look()
    log.close()
    assert log.read == [b"%d" % number for number in range(80, 100)]


def test_files_of_other_names_are_no_rotated_ones(log):
    log.line(b"1")
    log.look()
    log.rotate()
    for name in ("x.log.bak.txt", "x.log-errors", "x.log.1.gz", "xx.log.1", ".1", "-old"):
        other = log.path.with_name(name)
        other.write_bytes(b"another\n")
        log.tick() if log.path.exists() else os.utime(other, (log.clock + 1,) * 2)
    log.line(b"2")
    log.look()
    assert log.read == [b"1", b"2"]


@pytest.mark.parametrize(
    "place", ["", "{", "[]", '{"inode": 1}', '{"inode": "x", "at": "y", "seal": 5, "skipping": 0}']
)
def test_a_place_that_says_nothing_is_none(tmp_path, place):
    (tmp_path / "x.log").write_bytes(b"1\n")
    log = Log(tmp_path)
    log.place = place
    log.restart()
    log.look()
    log.close()
    assert log.read == [b"1"]


def test_what_is_no_file_is_none_and_keeps_nobody_waiting(log):
    log.line(b"1")
    log.look()
    log.path.rename(log.path.with_name("x.log.1"))
    os.mkfifo(log.path)
    os.mkfifo(log.path.with_name("x.log.2"))
    log.restart()
    log.look()
    log.path.unlink()
    log.path.mkdir()
    log.look()
    log.restart()
    log.look()
    log.path.rmdir()
    log.line(b"2")
    log.look()
    assert (log.read, log.refused) == ([b"1", b"2"], [])


def test_a_pipe_where_no_file_was_yet_is_none(tmp_path):
    os.mkfifo(tmp_path / "x.log")
    log = Log(tmp_path)
    log.look()
    assert log.read == []
    log.path.unlink()
    log.line(b"1")
    log.look()
    log.close()
    assert log.read == [b"1"]
