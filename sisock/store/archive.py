"""An archive: the samples of many nodes at rest, written by one process, for decades.

A folder: `index.sqlite` says what there is, `segments/` holds the samples as Parquet, `tiers/` their bins for quick
answers. Format: docs/archive.md. What is put waits in memory until it is flushed: whoever puts it keeps it till then.
"""

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Self

from sisock.frames import Answer, Field, Frame, Query
from sisock.nearest import Which
from sisock.store import reading, redo, retaining, sampling
from sisock.store.drafts import Draft
from sisock.store.incoming import Progress
from sisock.store.index import Known
from sisock.store.old import Old
from sisock.store.opening import ArchiveError, found_in, hold
from sisock.store.retention import Keep
from sisock.store.retired import Retired
from sisock.store.segments import Made, Segment
from sisock.store.series import Series
from sisock.store.taking import take
from sisock.store.written import slug

__all__ = ["Archive", "ArchiveError"]
log = logging.getLogger(__name__)
_TOGETHER = 256  # timelines written in one change of the index
_HEAVY = 32 * 2**20  # bytes likewise
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Archive:
    """An open archive; only one process at a time has it."""

    def __init__(self, folder: Path, segments: str = "") -> None:
        """Open it, or begin one. `segments`: a URL (`s3://bucket/path`) where these lie elsewhere.

        Raises ArchiveError where another process has it or it is of another version, OSError where it cannot be read.
        """
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._held = hold(folder)
        self._lock = threading.RLock()
        self._threads = ThreadPoolExecutor(2, "segments")
        try:
            found = found_in(folder, segments)
            self._index, self._files, self.notices = found.index, found.files, found.notices
            with self._index.change():
                self._series = {(known.node, known.timeline): self._open(known) for known in found.known}
                self._recover(lost=found.lost)
            self._retired = Retired(self._index, self._files)
            self._unreadable: set[str] = set()  # segments that are damaged, and so not compacted
        except BaseException:
            self._threads.shutdown()
            os.close(self._held)
            raise

    def _open(self, known: Known) -> Series:
        return Series(known, self._index, self._files, self._folder / "tiers" / known.node / slug(known.timeline))

    def _recover(self, *, lost: bool) -> None:
        """Bring the tiers in line with the index. After the machine itself went down, or the index was lost, they go."""
        boot = _BOOT.read_text().strip()
        doubted = lost or self._index.about("running", boot) != boot
        for series in self._series.values():
            try:
                if not doubted or series.tiers.old is not None:  # else nothing can make anew what is in tiers only
                    series.redo()
                if not doubted:
                    continue
            except (sqlite3.DatabaseError, redo.DamagedError) as error:
                log.warning("what was to be written into tiers is damaged (%s): they are made anew", error)
            series.doubt_tiers()
        self._index.done()
        self._index.note({"running": boot})

    @property
    def stale(self) -> bool:
        """Whether some answers come from samples where they should come from bins, until `rebuild`."""
        return any(series.stale for series in self.timelines())

    def close(self, *, flush: bool = True) -> None:
        """Write everything, unless somebody else keeps what waits, and let it go; even where that cannot be: OSError."""
        try:
            if flush:
                self.flush()
            with self._index.change():
                for series in self._series.values():
                    series.leave()
                self._index.forget("running")
        finally:
            for series in self._series.values():
                series.close()
            self._threads.shutdown()
            self._index.close()
            os.close(self._held)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # writing

    def put(self, node: str, frame: Frame, fields: Mapping[str, Field], *, again: bool = False) -> int:
        """Take what is new of a frame; how many samples that is. They wait in memory for `flush`.

        `again`: it came before a restart too, and nothing of it is counted.
        """
        return self._of(node, frame.timeline).put(frame, fields, again=again)

    def _of(self, node: str, timeline: str) -> Series:
        with self._lock:
            if (node, timeline) not in self._series:
                self._series[node, timeline] = self._open(self._index.begin(node, timeline))
            return self._series[node, timeline]

    @property
    def weight(self) -> int:
        """Bytes that wait in memory."""
        return sum(series.weight for series in self.timelines())

    def flush(self, keep: int = 0) -> int:
        """Write what waits, the heaviest timelines first, until no more than `keep` bytes wait; how many samples.

        On disk when this returns. Raises OSError: what could not be written goes on waiting.
        """
        waits = self.weight
        some: list[Series] = []
        for series in sorted(self.timelines(), key=lambda each: -each.weight):
            if not series.weight or waits <= keep:
                break
            some.append(series)
            waits -= series.weight
        return self.write(some)

    def write(self, timelines: Iterable[Series]) -> int:
        """Write what waits of these timelines; how many samples. On disk when this returns. Raises OSError, as `flush`."""
        written, some = 0, list[Series]()
        for series in timelines:
            some.append(series)
            if len(some) == _TOGETHER or sum(each.weight for each in some) > _HEAVY:
                written += self._write_all(some)
                some = []
        return written + self._write_all(some)

    def _write_all(self, some: Sequence[Series], notes: Mapping[str, str] | None = None) -> int:
        """Write all that waits of these timelines now, and notes with the last of it; how many samples."""
        lasts = [(series, series.last) for series in some]
        written = 0
        while early := [series for series, last in lasts if last is not None and not series.is_next(last)]:
            written += self._write(early)
        return written + self._write(some, notes)

    def _write(self, some: Sequence[Series], notes: Mapping[str, str] | None = None) -> int:
        """Write what can be one segment of what waits of these timelines, and notes: all of it, or nothing."""
        begun = [(series, written) for series in some if (written := series.begin()) is not None]
        drafts = [series.drafts(each.pieces, each.without) for series, each in begun]
        names = [draft.name for each in drafts for draft in each]
        with self._retired.unless_done(names), self._writing(drafts) as futures:
            growths = [series.take(each) for series, each in begun]
            files = [[future.result() for future in each] for each in futures]
            self._files.sync(names)
            with self._index.change():
                for (series, each), made, growth in zip(begun, files, growths, strict=True):
                    series.enroll(each, made, growth)
                gone = [segment.name for _, each in begun for segment in each.without]
                self._retired.note(gone)
                self._index.note(notes or {})
        for (series, each), made, growth in zip(begun, files, growths, strict=True):
            series.finish(each, made, growth)
        self._retired.add(gone)
        self._index.done()
        with contextlib.suppress(OSError):  # all is written; what could not be removed is tried again
            self._retired.tidy()
        return sum(len(each.samples.frame) for _, each in begun)

    @contextlib.contextmanager
    def _writing(self, drafts: Sequence[Sequence[Draft]]) -> Iterator[list[list[Future[Made]]]]:
        """Have these written while this block does something else."""
        futures = [[self._threads.submit(self._files.write, *draft) for draft in each] for each in drafts]
        try:
            yield futures
        finally:
            wait(future for each in futures for future in each)

    def write_noted(self, node: str, frame: Frame, fields: Mapping[str, Field], notes: Mapping[str, str]) -> int:
        """Write an imported frame with what waits of its timeline, and notes in one change with the last of it; how many samples.

        Raises OSError, as `flush`, but then nothing of the frame goes on waiting: it is to be written once more.
        """
        series = self._of(node, frame.timeline)
        with series.taking(frame, fields):
            return self._write_all([series], notes)

    def noted(self, key: str) -> int:
        """A number that was noted; 0 where none was."""
        return int(self._index.about(key, "0"))

    def compact(self, budget: int = 64 * 2**20, timelines: Iterable[Series] | None = None) -> int:
        """Make small segments, of all timelines or of these, into larger ones until so many bytes were; how many.

        0 where nothing is worth it. Answers go on meanwhile. To be called by the thread that writes. Raises OSError.
        """
        done = 0
        for series in self.timelines() if timelines is None else timelines:
            while done < budget and (some := series.worth_compacting(self._unreadable)):
                drafts = series.merged(some)
                if drafts is None:
                    self._unreadable |= {each.name for each in some}
                    continue
                gone, names = [each.name for each in some], [each.name for each in drafts]
                with self._retired.unless_done(names):
                    made = [self._files.write(*draft) for draft in drafts]
                    self._files.sync(names)
                    with self._index.change():
                        self._retired.note(gone)
                        series.list_new(made)
                series.exchange(some, made)
                self._retired.add(gone)
                done += sum(each.nbytes for each in some)
        self._retired.tidy()
        return done

    def retain(self, keep: Keep, now: int) -> tuple[int, bool]:
        """Let go what is not to be kept any longer at `now`, ns; how many samples went, and whether more may have to.

        A bounded piece of it, by the thread that writes, with answers going on meanwhile. Raises OSError.
        """
        gone = [
            each for node in self.nodes() for each in retaining.retain(self, node, keep(node), now, self._unreadable)
        ]
        return sum(gone), bool(gone)

    def let_go(self, series: Series, segments: Sequence[Segment], old: Old) -> None:
        """Have no longer what these segments have, of which the tiers on disk have all there is to keep."""
        names = [each.name for each in segments]
        with self._index.change():
            self._retired.note(names)
            series.keep_old(old)
        series.let_go(segments, old)
        self._retired.add(names)
        with contextlib.suppress(OSError):  # tried again
            self._retired.tidy()

    def take_incoming(self) -> Iterator[Progress]:
        """Take what was imported into its folder `incoming`; how far each file has come. Raises IncomingError, OSError."""
        return take(self, self._folder)

    def rebuild(self) -> Iterator[tuple[str, float]]:
        """Make the tiers whole where they are not; node and timeline, and how much of it is done.

        The thread that writes may flush in between: answers stay right all the time.
        """
        for series in self.timelines():
            for done in series.mend() if series.stale else ():
                yield f"{series.node} {series.timeline}", done

    # what there is

    def timelines(self, node: str | None = None) -> list[Series]:
        """The timelines of a node, or of all."""
        with self._lock:
            return [series for series in self._series.values() if node in (None, series.node)]

    def nodes(self) -> list[str]:
        """The nodes that it has samples of."""
        return sorted({series.node for series in self.timelines()})

    def fields(self, node: str) -> dict[str, Field]:
        """The fields of a node."""
        return {name: field for series in self.timelines(node) for name, field in series.fields.items()}

    def answer(self, node: str, query: Query) -> Answer:
        """What it has of the fields asked for. Raises TooMuchError with the cure where that is too much."""
        return reading.answer(self.timelines(node), query)

    def sample(self, node: str, fields: Sequence[str], t: int, which: Which) -> Answer:
        """The last sample of each field at or before t in ns (`at`), before it (`before`), or the next (`after`)."""
        return sampling.sample(self.timelines(node), fields, t, which)
