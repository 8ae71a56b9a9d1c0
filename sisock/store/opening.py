"""An archive's folder, opened: who has it, what there is in it, and what is not as it should be."""

import contextlib
import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sisock.frames import Field
from sisock.store.drafts import superseded
from sisock.store.index import Index, Known, NewerError
from sisock.store.old import saved
from sisock.store.retired import retired
from sisock.store.segments import DamagedError, Made, SegmentFiles
from sisock.store.storage import AwayError, Folder, Storage

log = logging.getLogger(__name__)
_TROUBLE = {  # what SQLite says when the file is not to blame
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH,
}  # fmt: skip
_MOST_TOLD = 10


class ArchiveError(OSError):
    """The archive cannot be used; says why, and the cure."""


class InUseError(ArchiveError):
    """Another process has it."""


class Found(NamedTuple):
    """What there is: `lost` if the index was and is made anew, sentences on what is damaged."""

    index: Index  # type: ignore[assignment]  # hides what a tuple can do by this name
    files: SegmentFiles
    known: list[Known]
    lost: bool
    notices: tuple[str, ...]


def hold(folder: Path) -> int:
    """Keep other processes out, for as long as the descriptor is open. Raises ArchiveError, with the cure."""
    for path in (folder, *folder.iterdir()):
        if not os.access(path, os.W_OK):
            raise ArchiveError(
                f"the archive {folder} cannot be written, for {path} is read-only: let the user that this runs as "
                "write to everything in it, or give another folder (SISOCK_ARCHIVE)"
            )
    held = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise InUseError(
            f"another process has the archive {folder}: stop that recorder, or give another folder"
        ) from None
    return held


def found_in(folder: Path, segments: str = "") -> Found:
    """What there is in a folder, the segments perhaps elsewhere. Raises ArchiveError, OSError."""
    storage = _storage(folder, segments)
    path = folder / "index.sqlite"
    notices: list[str] = []
    try:
        index, known = _opened(path)
        lost = index.fresh
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _TROUBLE:
            raise OSError(f"the archive's index {path} cannot be used: {error}") from error
        notices = [_put_aside(path, error)]
        index, known = _opened(path)
        lost = True
    files = SegmentFiles(storage, index.footer)
    try:
        if lost:
            with index.change():
                notices += _few(list(_taken_up(index, files)))
                _take_up_old(index, folder / "tiers")
                index.complete()
            known = index.known()
        else:
            notices += _without_index(storage, index, known)
    except BaseException:
        index.close()
        raise
    for notice in notices:
        log.warning("%s", notice)
    return Found(index, files, known, lost, tuple(notices))


def _storage(folder: Path, segments: str) -> Storage:
    """Where the segments lie. Raises ArchiveError where the URL is none."""
    if not segments:
        return Folder(folder / "segments", folder / "aside")
    from sisock.store.bucket import Bucket  # the client of object stores takes 10 MB

    try:
        return Bucket(segments)
    except ValueError as error:
        raise ArchiveError(f"SISOCK_ARCHIVE_SEGMENTS={segments!r}: {error}") from error


def _opened(path: Path) -> tuple[Index, list[Known]]:
    """The index, and all that it knows. Raises ArchiveError, sqlite3.DatabaseError if it is damaged."""
    try:
        index = Index(path)
        try:
            return index, index.known()
        except BaseException:
            index.close()
            raise
    except NewerError as error:
        raise ArchiveError(str(error)) from error
    except ValueError as error:
        raise sqlite3.DatabaseError(f"a row of it is damaged: {error}") from error


def _put_aside(path: Path, error: Exception) -> str:
    aside = path.with_suffix(f".damaged-{time.time_ns()}")
    path.rename(aside)
    for more in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{more}").unlink()
    return (
        f"the archive's index was damaged ({error}) and has been made anew of what the segments say; "
        f"the damaged one is {aside}: remove it when nobody wants to look at it"
    )


def _taken_up(index: Index, files: SegmentFiles) -> Iterator[str]:
    """Take up the segments that there are; a sentence for each that cannot be read."""
    known = {(each.node, each.timeline): each.id for each in index.known()}
    found, names = {}, files.names()
    for name in names:
        try:
            found[name] = files.find(name)
        except DamagedError as error:
            yield f"{error}: put a copy of this file back in its place, remove the index and start again"
    without = superseded({name: about for name, (_, about) in found.items()}, names)
    for name, (made, about) in found.items():
        if name in without:
            continue
        key = about["node"], about["timeline"]
        if key not in known:
            known[key] = index.begin(*key).id
        _take_up(index, known[key], made, about)


def _take_up(index: Index, series: int, made: Made, about: Mapping[str, Any]) -> None:
    index.add(series, *made)
    for field, kind in made.segment.kinds.items():
        index.know(series, field, kind)
    index.account(series, about["epochs"])
    index.describe(series, {name: _described(each, about["timeline"]) for name, each in about["fields"].items()})


def _take_up_old(index: Index, tiers: Path) -> None:
    """Take up what tiers tell of samples that went."""
    known = {(each.node, each.timeline): each.id for each in index.known()}
    for told in saved(tiers):
        key = told.node, told.timeline
        series = known[key] if key in known else index.begin(*key).id
        for name, kinds in told.kinds.items():
            for kind in kinds:
                index.know(series, name, kind)
        index.describe(series, {name: Field(*each) for name, each in told.fields.items()})
        index.account(series, told.accounts)
        index.keep_old(series, told.old)


def _described(about: Mapping[str, Any], timeline: str) -> Field:
    """A field as a segment tells of it."""
    return Field(about.get("description"), timeline, about.get("type", "number"), about.get("units"))


def _without_index(storage: Storage, index: Index, known: Iterable[Known]) -> list[str]:
    """Set files aside that the index does not know: a sudden end left them, or somebody put them there."""
    listed = {segment.name for each in known for segment in each.segments} | set(retired(index))
    try:
        names = [name for name in storage.names() if name not in listed]
        places = [storage.set_aside(name) for name in names]
    except AwayError as error:  # they are looked for at the next start
        return [str(error)]
    told = (
        f"{len(names)} files were not in the index and have been set aside (the first is {places[0]}): a sudden end "
        "leaves such files, and what was in them comes again; remove them when nobody misses anything"
        if names
        else ""
    )
    return [told] if names else []


def _few(sentences: list[str]) -> list[str]:
    more = len(sentences) - _MOST_TOLD
    return [*sentences[:_MOST_TOLD], *([f"and {more} more like these"] if more > 0 else [])]
