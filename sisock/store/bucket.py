"""Where the files of an archive lie: in an object store."""

from collections.abc import Sequence
from typing import Any

from pyarrow import fs

from sisock.store.storage import Range


class Bucket:
    """A place in an object store, `s3://bucket/prefix`. Credentials come from where AWS tools look for them."""

    def __init__(self, url: str) -> None:
        """Keep the files below this URL. Raises OSError, ValueError."""
        self._files, root = fs.FileSystem.from_uri(url)
        self._root = root.rstrip("/")

    def __str__(self) -> str:
        return str(self._root)

    def write(self, name: str, parts: Sequence[memoryview]) -> None:
        """Write a file that is not there; it is there when it is whole."""
        with self._files.open_output_stream(f"{self._root}/{name}") as out:
            for part in parts:
                out.write(part)

    def sync(self, names: Sequence[str]) -> None:
        """See that these files are kept: they are, once they are written."""

    def open(self, name: str) -> "OpenObject":
        """Open a file to be read."""
        return OpenObject(self._files.open_input_file(f"{self._root}/{name}"))

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return int(self._files.get_file_info(f"{self._root}/{name}").size)

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is fine."""
        if self._files.get_file_info(f"{self._root}/{name}").type != fs.FileType.NotFound:
            self._files.delete_file(f"{self._root}/{name}")

    def names(self) -> list[str]:
        """All files there are."""
        found = self._files.get_file_info(fs.FileSelector(self._root, recursive=True, allow_not_found=True))
        return sorted(each.path[len(self._root) + 1 :] for each in found if each.type == fs.FileType.File)


class OpenObject:
    """A file of an object store."""

    def __init__(self, file: Any) -> None:
        """Take it as pyarrow has opened it."""
        self._file = file

    def fetch(self, ranges: Sequence[Range], into: memoryview) -> list[Range]:
        """Read these bytes to the same places of `into`; the ranges that cannot be read."""
        bad = []
        for first, beyond in ranges:
            try:
                got = self._file.read_at(beyond - first, first)
            except OSError:
                got = b""
            if len(got) == beyond - first:
                into[first:beyond] = got
            else:
                bad.append((first, beyond))
        return bad
