"""Segments that are replaced or kept no longer: their files go when nobody reads them any more."""

import contextlib
import json
from collections.abc import Iterable, Iterator

from sisock.store.index import Index
from sisock.store.segments import SegmentFiles
from sisock.store.snapshot import looked_at

_KEY = "retired"


def retired(index: Index) -> list[str]:
    """The names of files that are to go."""
    return [str(name) for name in json.loads(index.about(_KEY, "[]"))]


class Retired:
    """The files that are to go; noted in the index, so that a sudden end leaves none."""

    def __init__(self, index: Index, files: SegmentFiles) -> None:
        """Take up what is noted."""
        self._index, self._files = index, files
        self._names = retired(index)

    def note(self, names: Iterable[str]) -> None:
        """Forget these segments, within a change of the index; `add` follows when that is on disk."""
        gone = list(names)
        self._index.drop(gone)
        if gone:
            self._index.note({_KEY: json.dumps([*self._names, *gone])})

    def add(self, names: Iterable[str]) -> None:
        """Let these files go, once nobody reads them."""
        self._names += names

    @contextlib.contextmanager
    def unless_done(self, names: Iterable[str]) -> Iterator[None]:
        """Let these files, which this block writes and puts into the index, go where it fails."""
        try:
            yield
        except BaseException:
            self.add(names)
            with contextlib.suppress(OSError):  # tried again, and the next start sets aside what is left
                self.tidy()
            raise

    def tidy(self) -> None:
        """Remove the files that nobody reads; of a timeline none before those that went earlier. Raises OSError.

        So what took the place of a file is there as long as that is: if the index is lost, it tells that the file is no more.
        """
        if not self._names:
            return
        busy, stay = looked_at(), set[str]()
        for name in list(self._names):
            folder = name.rpartition("/")[0]
            if name in busy or folder in stay:
                stay.add(folder)
                continue
            self._files.remove(name)
            self._names.remove(name)
        self._index.note({_KEY: json.dumps(self._names)})
