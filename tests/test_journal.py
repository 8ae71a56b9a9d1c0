"""The journal: what was committed is there once and in order; what had to go is counted."""

import contextlib
import itertools
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest

from sisock.frames import Column, Frame, column
from sisock.store.journal import Journal, JournalError, JournalInUse
from sisock.times import LAST, NS
from tests.journals import ALL, NOW, add, all_of, files, frame, no_room, opened, read_all
from tests.made import same_frame


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journals" / "node.sqlite"


def test_what_was_committed_is_there_after_a_restart_with_its_identity(path):
    with opened(path) as journal:
        sent = frame(journal, [1, 2, 3], text=column(["a", None, "c"]))
        journal.append("samples", sent)
        journal.commit()
        epoch = journal.epoch
    with opened(path) as journal:
        assert journal.epoch == epoch
        (kept,) = journal.window("samples", None, *ALL)
        assert same_frame(kept, sent)
        assert journal.next_seq("samples") == 3


def test_what_waits_is_in_the_window_but_not_for_readers_and_closing_commits_it(path):
    with opened(path) as journal:
        journal.append("samples", frame(journal, [1]))
        assert journal.waiting > 0
        assert (all_of(journal), read_all(journal)) == ([1], [])
    with opened(path) as journal:
        assert (all_of(journal), read_all(journal), journal.waiting) == ([1], [1], 0)


def test_frames_that_follow_one_another_become_one_row(path):
    with opened(path) as journal:
        for value in range(10):
            journal.append("samples", frame(journal, [value], seq=value))
        journal.commit()
        (kept,) = journal.window("samples", None, *ALL)
        assert (len(kept), kept.seq) == (10, 10)


def test_a_frame_larger_than_a_row_is_parted(path):
    with opened(path) as journal:
        add(journal, range(300_000))
        kept = journal.window("samples", None, *ALL)
        assert len(kept) > 1
        assert [frame.seq for frame in kept][-1] == 300_000
        assert all_of(journal) == list(range(300_000))
        batch = journal.read_from(None, 0, 100_000)
        assert 0 < batch.samples < 10_000
        assert read_all(journal, limit=100_000) == list(range(300_000))


def test_many_commits_of_few_samples_become_few_rows(path):
    with opened(path, join_after=8) as journal:
        for value in range(22):
            add(journal, [value])
            add(journal, [value], stream="other")
        assert [len(frame) for frame in journal.window("samples", None, *ALL)] == [4, 4, 4, 4, 4, 1, 1]
    with opened(path, join_after=8) as journal:
        add(journal, [22])
        assert [len(frame) for frame in journal.window("samples", None, *ALL)] == [4, 4, 4, 4, 4, 3]
        assert all_of(journal, "other") == list(range(22))


def test_streams_of_other_nodes_keep_their_epochs_and_sequences(path):
    with opened(path) as journal:
        t = np.array([NOW, NOW + 1])
        theirs = Frame("samples", t, {"a": column([1.5, 2.5])}, "their epoch", 77)
        old = Frame("samples", t, {"a": column([3.5, 4.5])})
        journal.commit(frames=[("weather::samples", theirs), ("legacy::samples", old)])
        batch = journal.read_from(None, 0)
        assert batch.streams == ("weather::samples", "legacy::samples")
        assert all(map(same_frame, batch.frames, (theirs, old)))
        assert all(same_frame(*pair) for pair in zip(journal.window("legacy::samples", None, *ALL), [old], strict=True))


def test_frames_and_notes_given_with_a_commit_are_there_together_or_not_at_all(path):
    with opened(path) as journal:
        journal.commit({"cursor": "1"}, [("samples", frame(journal, [1]))])
        with no_room(path), pytest.raises(JournalError):
            journal.commit({"cursor": "2"}, [("samples", frame(journal, range(10_000)))])
        assert (journal.notes(), all_of(journal)) == ({"cursor": "1"}, [1])
        journal.commit({"cursor": "2", "more": "x"})
    with opened(path) as journal:
        assert journal.notes() == {"cursor": "2", "more": "x"}


@pytest.mark.parametrize(
    ("seq", "text", "said"),
    [
        (2**63, "x", "it is not one of ours"),
        (0, "x", "it is not one of ours"),
        (1, "x" * (2**26 + 1), "more than a journal keeps"),
    ],
)
def test_what_no_journal_can_hold_is_refused(path, seq, text, said):
    with opened(path) as journal:
        wrong = Frame("t", np.array([1]), {"a": column([text])}, journal.epoch, seq)
        with pytest.raises(ValueError, match=said):
            journal.append("t", wrong)
        with pytest.raises(ValueError, match=said):
            journal.commit(frames=[("t", wrong)])
        assert journal.waiting == 0


# by time and by sequence


def test_the_window_is_half_open_and_has_the_fields_that_are_wanted(path):
    with opened(path) as journal:
        add(journal, range(5), b=column(["x"] * 5))
        journal.append("samples", frame(journal, range(5, 9), seq=5))
        found = journal.window("samples", {"a"}, NOW + 3 * NS, NOW + 7 * NS)
        assert [list(each.columns) for each in found] == [["a"], ["a"]]
        assert [each.seq for each in found] == [5, 7]
        assert all_of(journal, start=NOW + 3 * NS, end=NOW + 7 * NS) == [3, 4, 5, 6]
        assert all_of(journal, start=NOW + 9 * NS) == []
        assert all_of(journal, start=NOW + 7 * NS, end=NOW + 3 * NS) == []
        assert journal.window("unknown", None, *ALL) == []


def test_a_clock_that_was_set_back_hides_nothing(path):
    with opened(path) as journal:
        for number, second in enumerate([100, 101, 50, 51, 102, 10]):
            add(journal, [number], t=[NOW + second * NS])
        assert all_of(journal, start=NOW + 50 * NS, end=NOW + 102 * NS) == [0, 1, 2, 3]
        assert all_of(journal, start=NOW + 11 * NS, end=NOW + 51 * NS) == [2]


def test_a_row_of_all_times_there_are_is_found(path):
    with opened(path) as journal:
        add(journal, [1, 2], t=[-(2**63), 2**63 - 2])
        assert all_of(journal, start=-(2**63), end=2**63 - 1) == [1, 2]
        assert all_of(journal, start=0, end=2**63 - 1) == [2]
        assert all_of(journal, start=-(2**63), end=0) == [1]


def test_since_and_before_cut_by_sequence(path):
    with opened(path, join_after=4) as journal:
        for value in range(10):
            add(journal, [value])
        journal.append("samples", frame(journal, [10, 11], seq=10))
        ours = journal.epoch
        assert all_of(journal, since=(ours, 7)) == [7, 8, 9, 10, 11]
        assert all_of(journal, since=(ours, 11), before=(ours, 12)) == [11]
        assert all_of(journal, before=(ours, 3)) == [0, 1, 2]
        assert all_of(journal, since=("another", 5), before=(ours, 2)) == [0, 1]


def test_since_in_an_epoch_that_is_over_gives_the_rest_of_it_and_all_after(path):
    with opened(path) as journal:
        t = np.array([NOW, NOW + 1])
        journal.commit(frames=[("samples", Frame("samples", t, {"a": column([1.0, 2.0])}, "before", 2))])
        add(journal, [3])
        assert all_of(journal, since=("before", 1)) == [2, 3]
        assert all_of(journal, since=(journal.epoch, 0)) == [3]


def test_how_much_there_is_of_a_time_is_known_without_reading_it(path):
    with opened(path) as journal:
        add(journal, range(10))
        add(journal, range(10, 20))
        assert journal.spread("samples", *ALL, (journal.epoch, 15)) == (15, NOW, NOW + 19 * NS)
        assert journal.spread("samples", NOW + 12 * NS, LAST, (journal.epoch, 20)) == (10, NOW + 10 * NS, NOW + 19 * NS)
        assert journal.spread("samples", *ALL, (journal.epoch, 0)) == (0, 0, 0)
        assert journal.oldest("samples") == (0, NOW)
        assert journal.oldest("unknown") == (0, None)


def test_the_tail_is_the_latest_of_all_streams(path):
    with opened(path) as journal:
        for value in range(6):
            add(journal, [value])
            add(journal, [value], stream="other")
        tail = journal.tail(500)
        assert [(each.timeline, each.seq) for each in tail][-2:] == [("samples", 6), ("other", 6)]
        assert 2 < len(tail) < 12
        assert len(journal.tail(2**20)) == 12


# cursors


def test_a_cursor_of_another_journal_begins_with_the_oldest(path):
    with opened(path) as journal:
        add(journal, [1, 2, 3])
        for epoch, position in ((None, 0), ("another", 2), (journal.epoch, 99), (journal.epoch, -1)):
            assert read_all(journal, epoch, position) == [1, 2, 3]
        assert read_all(journal, journal.epoch, 2) == [3]
        assert journal.read_from(journal.epoch, 3) == (journal.epoch, (), (), 3, 0, 0, False)


def test_a_reader_that_comes_too_late_is_told_how_much_it_missed(path):
    with opened(path) as journal:
        for value in range(10):
            add(journal, [value])
        journal.remove_upto(6)
        batch = journal.read_from(journal.epoch, 2)
        assert (batch.dropped, batch.samples, batch.first, batch.position) == (4, 4, 6, 10)
        journal.remove_upto(10**9)
        assert journal.read_from(journal.epoch, 8)[3:] == (10, 10, 2, False)
    with opened(path) as journal:
        assert journal.read_from(journal.epoch, 10)[3:] == (10, 10, 0, False)
        add(journal, [10])
        assert journal.read_from(journal.epoch, 10)[3:] == (11, 10, 0, False)


def test_readers_beside_a_writer_get_each_sample_once(path):
    with opened(path, join_after=3) as journal:
        ended, wrong = threading.Event(), []

        def look():
            while not ended.is_set():
                seen = all_of(journal)
                if seen != list(range(len(seen))):
                    wrong.append(seen)

        threads = [threading.Thread(target=look) for _ in range(2)]
        for thread in threads:
            thread.start()
        for value in range(300):
            journal.append("samples", frame(journal, [value], seq=value))
            if value % 3 == 0:
                journal.commit()
        ended.set()
        for thread in threads:
            thread.join(30)
        assert not wrong
        assert len(all_of(journal)) == 300


# bounds


@pytest.mark.parametrize("rows", [700, 7000])
def test_the_oldest_go_and_the_files_stay_within_their_bytes(path, rows):
    with opened(path, most_bytes=2**20, join_after=4) as journal:
        for _ in range(5 * 2**20 // (24 * rows)):
            add(journal, range(rows), b=Column(np.random.default_rng(1).random(rows)))
        dropped, oldest = journal.oldest("samples")
        kept = len(all_of(journal))
        assert dropped + kept == journal.next_seq("samples")
        assert oldest == NOW + dropped * NS
        assert 0.7 * 2**20 < 24 * kept < 2**20
        large = sum(each.stat().st_size for each in (path.parent / "node.sqlite.bulk").iterdir())
        assert large < 1.2 * 2**20
    assert files(path) < 1.4 * 2**20  # while it is open, SQLite's own log takes up to 8 MiB more


def test_what_is_too_old_goes(path):
    hours = itertools.count(NOW, 3600 * NS)
    with opened(path, most_age_ns=24 * 3600 * NS, clock=hours.__next__) as journal:
        for value in range(40):
            add(journal, [value], t=[0])
        kept = all_of(journal)
        assert kept == list(range(40 - len(kept), 40))
        assert 10 < len(kept) < 25  # each commit asks for the time twice
        dropped, _ = journal.oldest("samples")
        assert dropped + len(all_of(journal)) == 40


def test_until_when_samples_had_to_go_is_known_after_a_restart_also_where_a_clock_was_set_back(path):
    with opened(path) as journal:
        for t in ([5000, 9000], [100, 200], [300]):
            add(journal, range(len(t)), t=t)
        assert journal.gone == {}
        journal.remove_upto(4)
        assert journal.gone == {"samples": 9000}
    with opened(path, most_bytes=2**16, join_after=1) as journal:
        assert journal.gone == {"samples": 9000}
        add(journal, range(5000), t=range(10_000, 15_000))
        add(journal, range(5000), t=range(15_000, 20_000))
        assert journal.gone["samples"] >= 14_999


def test_a_journal_that_never_noted_when_samples_had_to_go_does_so_from_now_on(path):
    with opened(path) as journal:
        add(journal, [1, 2])
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE streams DROP COLUMN gone")
    with opened(path) as journal:
        assert all_of(journal) == [1, 2]
        assert journal.gone == {}
        journal.remove_upto(2)
        assert len(journal.gone) == 1


def test_an_empty_journal_whose_samples_have_all_gone_never_uses_a_sequence_or_position_again(path):
    with opened(path) as journal:
        add(journal, range(5))
        journal.remove_upto(5)
    with opened(path) as journal:
        assert journal.next_seq("samples") == 5
        add(journal, [5])
        assert journal.read_from(None, 0).position == 6


# ends


def test_sequences_that_were_published_and_not_written_are_never_used_again(path):
    journal = Journal(path)
    add(journal, range(5))
    journal.append("samples", frame(journal, range(5, 50), seq=5))
    journal.append("new", frame(journal, range(50), stream="new"))
    journal._disk.close(clean=False)  # as kill -9 does
    with opened(path) as again:
        assert (again.epoch, all_of(again)) == (journal.epoch, list(range(5)))
        assert again.next_seq("samples") >= 50
        assert again.next_seq("new") >= 50


def test_samples_that_were_given_up_are_never_taken_for_others(path):
    with opened(path) as journal:
        add(journal, range(5))
        journal.append("samples", frame(journal, range(5, 50), seq=5))
        assert journal.shed(0) == 45
        assert journal.lost == 45
        journal.commit()
        assert journal.lost == 45
        assert journal.read_from(journal.epoch, 0)[3:] == (50, 0, 45, False)
    with opened(path) as journal:
        assert journal.next_seq("samples") >= 50
        assert journal.lost == 45


def test_two_may_not_have_one_journal(path):
    with opened(path), pytest.raises(JournalInUse, match="in use by another process: stop that one"):
        Journal(path)
    Journal(path).close()


def test_who_is_patient_gets_the_journal_when_the_other_has_ended(path):
    other = Journal(path)
    add(other, [1, 2])
    with opened(path, patient=True) as journal:
        journal.append("samples", frame(journal, [3], seq=0))
        with pytest.raises(JournalError, match="in use by another process"):
            journal.commit()
        assert (all_of(journal), journal.epoch != other.epoch) == ([3], True)
        other.close()
        journal.commit()
        assert all_of(journal) == read_all(journal) == [1, 2, 3]


def test_a_journal_that_is_closed_can_be_closed_again_and_has_nothing(path):
    journal = Journal(path)
    add(journal, [1])
    journal.close()
    journal.close()
    assert all_of(journal) == []
    with pytest.raises(JournalError, match="is not open"):
        journal.read_from(None, 0)
