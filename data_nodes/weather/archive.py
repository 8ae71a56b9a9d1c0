"""A folder of files, looked at again and again."""

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePath

from data_nodes.weather.series import Series, series
from data_nodes.weather.source import FORMATS, Source
from sisock.frames import Field, Frame

log = logging.getLogger(__name__)


class Archive:
    """All files below a folder; what it says is at most `pause` seconds old."""

    def __init__(
        self, folder: Path, most_bytes: int, pause: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Keep the samples of files of at most so many bytes in memory; files beyond are left out, and told of."""
        self._folder, self._most, self._pause, self._clock = folder, most_bytes, pause, clock
        self._sources: dict[PurePath, Source] = {}
        self._told: set[tuple[PurePath, str]] = set()
        self._series: dict[str, Series] = {}  # by field
        self._looked = float("-inf")
        self._lock = threading.Lock()

    def fields(self) -> dict[str, Field]:
        """Every field of every file."""
        return {name: each.fields[name] for name, each in self._look().items()}

    def samples(self, field: str) -> Frame:
        """All samples of a field, and of those beside it, in the order of time; KeyError if there is no such field."""
        return self._look()[field].frame

    def _look(self) -> dict[str, Series]:
        """The series by field, after reading what is new, unless that was done just now."""
        with self._lock:
            if self._clock() - self._looked >= self._pause:
                if self._refresh():
                    self._series = {name: each for each in series(self._sources) for name in each.fields}
                self._looked = self._clock()
            return self._series

    def _refresh(self) -> bool:
        """Read what is new; true if that changes anything."""
        found = self._files()
        gone = [self._sources.pop(path) for path in list(self._sources) if path not in found]
        self._told = {(path, said) for path, said in self._told if path in found}
        changed, room = bool(gone), self._most
        for path, status in found.items():
            room -= status.st_size
            if room < 0:
                changed |= self._sources.pop(path, None) is not None
                self._tell(path, f"left out, since the archive is larger than {self._most} bytes: raise most_bytes")
                continue
            source = self._sources.setdefault(path, Source(self._folder / path))
            try:
                changed |= source.refresh(status)
                self._tell(path, source.oddities)
                if source.repeated:
                    again = f"{source.repeated} times stood there already: the later line holds"
                    self._tell(path, again, logging.INFO)
            except OSError as error:
                self._tell(path, f"it cannot be read: {error.strerror}")
        return changed

    def _files(self) -> dict[PurePath, os.stat_result]:
        """The files of known formats in the order of their paths, which are those below the folder."""
        found = {}
        for folder, _, names in os.walk(self._folder):
            for name in names:
                path = Path(folder, name)
                if path.suffix.lower() in FORMATS and not name.startswith("."):
                    with suppress(OSError):  # gone meanwhile
                        found[path.relative_to(self._folder)] = path.stat()
        return dict(sorted(found.items()))

    def _tell(self, path: PurePath, what: str, level: int = logging.WARNING) -> None:
        """Log what is odd about a file, once, however the numbers in it grow."""
        kind = "".join(letter for letter in what if not letter.isdigit())
        if kind and (path, kind) not in self._told:
            self._told.add((path, kind))
            log.log(level, "%s: %s", self._folder / path, what)
