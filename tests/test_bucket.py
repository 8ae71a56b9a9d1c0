"""An archive whose samples lie in an object store: as one on disk, and what it does while the store is away or wrong."""

import time

import numpy as np
import pytest

from sisock.frames import Column, Frame, Query
from sisock.store import bucket, patience
from sisock.store.archive import Archive, ArchiveError
from sisock.store.bucket import Bucket, together
from sisock.store.keeper import Keeper, Taking
from sisock.times import FIRST, LAST, NS
from tests.archives import FIELDS
from tests.objects import objects

BASE = 1_700_000_000 * NS
ROWS = 40_000
ALL = Query(("a", "b"), FIRST, LAST)


@pytest.fixture
def store(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(patience, "_REST", 0.3)
    with objects() as made:
        yield made


def opened(store, folder):
    return Archive(folder, store.url("bucket/some/where"))


def values(first, count):
    return np.arange(first, first + count) * 2_654_435_761 % 1_000_003 / 7


def frame(first, count=ROWS):
    numbers = np.arange(first, first + count)
    return Frame(
        "t", BASE + numbers * NS, {"a": Column(values(first, count)), "b": Column(numbers)}, "e", first + count
    )


def fill(archive, parts=3, rows=ROWS):
    for part in range(parts):
        archive.put("n", frame(part * rows, rows), FIELDS)
        archive.flush()


def served(archive, rows=3 * ROWS):
    """Samples that are served of all these; none of them is wrong, and what lacks is told."""
    answer = archive.answer("n", ALL)
    counts = []
    for name, expected in (("a", values(0, rows)), ("b", np.arange(rows))):
        t, column = answer.series(name)
        there = column.present()
        assert (column.values[there] == expected[(t[there] - BASE) // NS]).all()
        counts.append(int(there.sum()))
    assert bool(answer.notices) == (min(counts) < rows), answer.notices
    return min(counts)


def counted(archive, **options):
    answer = archive.answer("n", ALL._replace(max_points=50, reduce="count", **options))
    return int(answer.series("b")[1].values.sum()), answer.notices


def test_samples_and_bins_are_as_those_of_an_archive_on_disk(store, tmp_path):
    query = ALL._replace(max_points=300, reduce="band")
    with opened(store, tmp_path / "far") as far, Archive(tmp_path / "near") as near:
        for each in (far, near):
            fill(each)
        assert served(far) == 3 * ROWS
        for name in ("a::min", "a::max", "a", "b::max"):
            assert np.array_equal(
                far.answer("n", query).series(name)[1].values, near.answer("n", query).series(name)[1].values
            )
    assert not (tmp_path / "far" / "segments").exists()
    assert len(store.segments()) == 3
    with opened(store, tmp_path / "far") as far:
        assert far.notices == ()
        assert served(far) == 3 * ROWS


def test_small_segments_become_large_ones_and_those_of_before_go(store, tmp_path):
    with opened(store, tmp_path) as archive:
        fill(archive, 12, 2000)
        assert archive.compact() > 0
        while archive.compact():
            pass
        assert served(archive, 24_000) == 24_000
    assert len(store.segments()) < 12
    with opened(store, tmp_path) as archive:
        assert archive.notices == ()
        assert served(archive, 24_000) == 24_000


def test_what_cannot_be_removed_goes_later_and_is_not_counted_twice(store, tmp_path):
    with opened(store, tmp_path) as archive:
        fill(archive, 12, 2000)
        store.keeps = True
        with pytest.raises(OSError, match=r"does not remove n/t/.*; see that it runs"):
            archive.compact()
        assert len(store.segments()) > 12
        assert served(archive, 24_000) == 24_000
    with opened(store, tmp_path) as archive:
        assert archive.notices == ()
        assert served(archive, 24_000) == 24_000
        store.keeps = False
        archive.compact()
        assert len(store.segments()) < 12
    with opened(store, tmp_path / "anew") as archive:
        assert served(archive, 24_000) == 24_000


def test_a_lost_index_is_made_anew_of_the_store(store, tmp_path):
    with opened(store, tmp_path / "first") as archive:
        fill(archive)
    with opened(store, tmp_path / "second") as archive:
        assert archive.fields("n")["a"].units == "V"
        assert served(archive) == 3 * ROWS
        list(archive.rebuild())
        assert counted(archive) == (3 * ROWS, ())
        assert archive.put("n", frame(2 * ROWS), FIELDS) == 0


def test_an_index_is_not_begun_of_half_of_what_there_is(store, tmp_path):
    with opened(store, tmp_path / "first") as archive:
        fill(archive)
    store.refuses = True
    for _ in range(2):
        with pytest.raises(OSError, match="does not tell what it has: .*; see that it runs"):
            opened(store, tmp_path / "second")
    store.refuses = False
    with opened(store, tmp_path / "second") as archive:
        assert archive.notices == ()
        assert served(archive) == 3 * ROWS


def test_what_a_sudden_end_left_is_set_aside(store, tmp_path):
    with opened(store, tmp_path) as archive:
        fill(archive)
    name = store.segments()[0]
    left = store.there[name[:-8] + "left.parquet"] = store.there[name]
    with opened(store, tmp_path) as archive:
        (notice,) = archive.notices
        assert "set aside (the first is s3://bucket/some/where/.aside/n/t/" in notice
        assert served(archive) == 3 * ROWS
    assert store.there[f"bucket/some/where/.aside/{name.removeprefix('bucket/some/where/')[:-8]}left.parquet"] == left
    with opened(store, tmp_path) as archive:
        assert archive.notices == ()


@pytest.mark.parametrize("fault", ["gone", "refusing", "hanging"])
def test_while_the_store_is_away_nothing_is_lost_and_it_goes_on_when_it_is_back(store, tmp_path, fault, monkeypatch):
    monkeypatch.setattr(bucket, "SILENCE", 1.0)
    monkeypatch.setattr(bucket, "_ATTEMPTS", 1)
    with Keeper(tmp_path, store.url("bucket/p"), flush_age=0.0) as keeping:
        assert keeping.take([Taking("n", [frame(0)], FIELDS)]) == ROWS
        assert keeping.tend() == ROWS
        begin(store, fault)
        keeping.take([Taking("n", [frame(ROWS), frame(2 * ROWS)], FIELDS)])
        for _ in range(1 if fault == "hanging" else 2):
            with pytest.raises(OSError, match=r"the object store s3://bucket/p does not take n/t/.*; see that it runs"):
                keeping.tend()
        assert keeping.archive.weight
    with Keeper(tmp_path, store.url("bucket/p"), flush_age=0.0) as keeping:
        assert "does not tell what it has" in keeping.archive.notices[0]
        finish(store, fault)
        assert keeping.tend() == 2 * ROWS
        assert not keeping.archive.weight
        assert served(keeping.archive) == 3 * ROWS
        assert counted(keeping.archive) == (3 * ROWS, ())


def begin(store, fault):
    if fault == "gone":
        store.go()
    elif fault == "refusing":
        store.refuses = True
    else:
        store.hangs.set()


def finish(store, fault):
    store.hangs.clear()
    store.refuses = False
    if fault == "gone":
        store.come()


@pytest.mark.parametrize("fault", ["gone", "refusing", "hanging"])
def test_bins_are_served_while_the_store_is_away_and_samples_are_told_in_time(store, tmp_path, fault):
    with opened(store, tmp_path) as archive:
        fill(archive, 40, 5000)
        width = archive.timelines()[0].tiers.levels[0].width
        begin(store, fault)
        inside = -(-BASE // width) * width, (BASE + 199_999 * NS) // width * width
        whole = ALL._replace(start=inside[0], end=inside[1], max_points=100, reduce="band")
        answer = archive.answer("n", whole)
        assert answer.notices == ()
        assert answer.samples == (inside[1] - BASE - 1) // NS - (inside[0] - BASE - 1) // NS
        began = time.monotonic()
        answer = archive.answer("n", ALL)
        assert time.monotonic() - began < 10
        assert answer.samples < 200_000
        assert "the object store s3://bucket/some/where cannot be reached: " in answer.notices[0]
        assert answer.notices[0].endswith(": ask again later")
        finish(store, fault)
        assert until(lambda: served_all(archive))


def served_all(archive):
    answer = archive.answer("n", ALL)
    return answer.samples == 200_000 and not answer.notices


def until(true, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.1)  # the store is left alone for a moment
    return False


def test_compaction_and_tiers_wait_for_a_store_that_is_away(store, tmp_path):
    with opened(store, tmp_path) as archive:
        fill(archive, 12, 4000)
        archive.timelines()[0].doubt_tiers()
        store.refuses = True
        with pytest.raises(OSError, match="cannot be reached"):
            archive.compact()
        with pytest.raises(OSError, match="cannot be reached"):
            list(archive.rebuild())
        assert archive.stale
        store.refuses = False
        assert until(lambda: tried(archive.compact))
        assert until(lambda: tried(lambda: list(archive.rebuild())))
        assert not archive.stale
        assert counted(archive) == (48_000, ())


def tried(act):
    try:
        return act()
    except OSError:
        return False


def test_wrong_and_missing_bytes_are_never_values_and_a_copy_put_back_is_read(store, tmp_path):
    rng = np.random.default_rng(1)
    with opened(store, tmp_path) as archive:
        fill(archive)
        names = store.segments()
        for number in range(12):
            name, whole = names[number % 3], store.there[names[number % 3]]
            data = bytearray(whole)
            for at in rng.integers(0, len(data), 20).tolist():
                data[at] ^= 1 << int(rng.integers(8))
            archive._files._storage.doubt(name.removeprefix("bucket/some/where/"))
            store.there[name] = bytes(data[: int(rng.integers(len(data)))] if number % 2 else data)
            served(archive)
            store.there[name] = whole
            assert until(lambda: served(archive) == 3 * ROWS)


def test_an_answer_that_ends_early_is_not_taken_for_the_whole(store, tmp_path):
    with opened(store, tmp_path) as archive:
        fill(archive)
    with opened(store, tmp_path) as archive:
        store.cuts = 100
        assert served(archive) == 0
        store.cuts = 0
        assert until(lambda: served(archive) == 3 * ROWS)


def test_a_segment_that_is_gone_is_told_and_the_others_are_served(store, tmp_path):
    with opened(store, tmp_path) as archive:
        fill(archive)
    with opened(store, tmp_path) as archive:
        del store.there[store.segments()[0]]
        assert served(archive) == 2 * ROWS
        assert "(it is gone)" in archive.answer("n", ALL).notices[0]


def test_a_question_costs_few_requests_and_the_same_again_none(store, tmp_path):
    with opened(store, tmp_path) as archive:
        store.asked.clear()
        fill(archive, 1)
        assert [each.split()[0] for each in store.asked] == ["PUT"]
    with opened(store, tmp_path) as archive:
        store.asked.clear()
        window = ALL._replace(start=BASE + 100 * NS, end=BASE + 5000 * NS)
        assert archive.answer("n", window).samples == 4900
        assert (store.of("HEAD"), store.of("GET")) == (1, 1)
        assert archive.answer("n", window).samples == 4900
        assert len(store.asked) == 2


def test_a_large_file_goes_up_in_parts_and_comes_back_whole(store):
    far = Bucket(store.url("bucket/p"))
    data = np.random.default_rng(0).bytes(30_000_000)
    far.write("n/t/x.parquet", [memoryview(data[:25_000_000]), memoryview(data[25_000_000:])])
    assert store.of("POST") == 2
    assert store.there["bucket/p/n/t/x.parquet"] == data
    assert (far.size("n/t/x.parquet"), far.names()) == (len(data), ["n/t/x.parquet"])
    into = bytearray(len(data))
    assert far.open("n/t/x.parquet").fetch([(0, len(data))], memoryview(into)) == []
    assert into == data
    far.remove("n/t/x.parquet")
    far.remove("n/t/x.parquet")
    assert far.names() == []


def test_ranges_that_lie_near_each_other_are_one_request():
    assert together([(0, 10), (20, 30), (10_000_000, 10_000_010)]) == [[(0, 10), (20, 30)], [(10_000_000, 10_000_010)]]
    assert together([(0, 3_000_000), (3_000_000, 6_000_000)]) == [[(0, 3_000_000)], [(3_000_000, 6_000_000)]]


@pytest.mark.parametrize("url", ["file:///tmp/x", "s3://", "s3://bucket/p?colour=red", "bucket/p"])
def test_a_url_that_is_none_is_told_with_what_to_write(tmp_path, url):
    with pytest.raises(ArchiveError, match=r"SISOCK_ARCHIVE_SEGMENTS='.*': write s3://BUCKET/PATH"):
        Archive(tmp_path, url)


def test_who_keeps_samples_in_a_folder_loads_no_client_of_object_stores(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys, pathlib; from sisock.store.archive import Archive; "
        f"Archive(pathlib.Path({str(tmp_path)!r})).close(); assert 'sisock.store.bucket' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
