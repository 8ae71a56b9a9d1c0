"""Where the files of an archive lie: in an object store."""

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pyarrow import fs

from sisock.store.patience import Patience
from sisock.store.recent import Recent
from sisock.store.storage import AwayError, Range

CONNECT = 2.0  # seconds until a connection stands
SILENCE = 2.0  # seconds without a byte after which a request is given up
_ATTEMPTS = 2  # at each request
DEADLINE = 6.0  # seconds for all that is read of a file at once
_MEMORY = 64 * 2**20  # bytes that are remembered
_GAP = 65_536  # bytes between two ranges that cost less than a request of their own
_PIECE = 4 * 2**20  # bytes of one request
_ASIDE = ".aside"  # no node is called so
_OPTIONS = {"region", "scheme", "endpoint_override"}
_CURE = (
    "see that it runs, and that the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) may read and write there"
)

Memory = Recent[tuple[str, Range], bytes]  # bytes of files, for when they are asked for again


class Bucket:
    """A place in an object store. Credentials come from where AWS tools look for them."""

    def __init__(self, url: str) -> None:
        """`s3://BUCKET/PATH?region=…`; another store than AWS also has `endpoint_override=HOST:PORT` and `scheme`.

        Raises ValueError where that is none; nothing is asked yet.
        """
        where = urlsplit(url)
        options = dict(parse_qsl(where.query, keep_blank_values=True))
        if where.scheme != "s3" or not where.netloc or not options.keys() <= _OPTIONS:
            raise ValueError(f"write s3://BUCKET/PATH, and after a ? perhaps {', '.join(sorted(_OPTIONS))}")
        if "endpoint_override" in options:
            options.setdefault("region", "us-east-1")  # one that is not AWS has no other
        self._files = fs.S3FileSystem(
            **options, connect_timeout=CONNECT, request_timeout=SILENCE, allow_delayed_open=True,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        )  # fmt: skip
        self._root = f"{where.netloc}/{where.path.strip('/')}".rstrip("/")
        self._patience = Patience(f"the object store s3://{self._root}", DEADLINE)
        self._memory: Memory = Recent(_MEMORY)

    def __str__(self) -> str:
        return f"s3://{self._root}"

    def write(self, name: str, parts: Sequence[memoryview]) -> None:
        """Write a file that is not there; it is there when it is whole."""
        with self._told(f"take {name}"), self._files.open_output_stream(self._path(name)) as out:
            for part in parts:
                out.write(part)

    def sync(self, names: Sequence[str]) -> None:
        """See that these files are kept: they are, once they are written."""

    def open(self, name: str) -> "OpenObject":
        """Open a file to be read; whether it is there is seen then."""
        opened = functools.partial(self._files.open_input_file, self._path(name))
        return OpenObject(name, opened, self._patience, self._memory)

    def size(self, name: str) -> int:
        """Bytes of a file."""
        with self._told(f"tell of {name}"):
            found = self._files.get_file_info(self._path(name))
        if found.type != fs.FileType.File:
            raise FileNotFoundError(f"{self}/{name} is not there")
        return int(found.size)

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is fine."""
        self._memory.drop(lambda key: key[0] == name)
        with self._told(f"remove {name}"):
            if self._files.get_file_info(self._path(name)).type != fs.FileType.NotFound:
                self._files.delete_file(self._path(name))

    def set_aside(self, name: str) -> str:
        """Move a file out of the way, and where to."""
        target = self._path(f"{_ASIDE}/{name}")
        with self._told(f"move {name}"):
            self._files.move(self._path(name), target)
        return f"s3://{target}"

    def names(self) -> list[str]:
        """All files there are."""
        with self._told("tell what it has"):
            found = self._files.get_file_info(fs.FileSelector(self._root, recursive=True, allow_not_found=True))
        names = (each.path[len(self._root) + 1 :] for each in found if each.type == fs.FileType.File)
        return sorted(name for name in names if not name.startswith(f"{_ASIDE}/"))

    def doubt(self, name: str) -> None:
        """Read a file anew from now on: what was read of it was wrong."""
        self._memory.drop(lambda key: key[0] == name)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Raise AwayError for what the client raises, with the cure."""
        try:
            yield
        except FileNotFoundError as error:
            raise AwayError(f"the object store {self} does not {what}: there is no such bucket; make it") from error
        except OSError as error:
            raise AwayError(f"the object store {self} does not {what}: {error}; {_CURE}") from error


class OpenObject:
    """A file of an object store. Any thread may read."""

    def __init__(self, name: str, opened: Callable[[], Any], patience: Patience, memory: Memory) -> None:
        """It is opened by `opened` when something is read that is not remembered."""
        self._name, self._opened = name, opened
        self._patience, self._memory = patience, memory
        self._file: Any = None
        self._lock = threading.Lock()

    def fetch(self, ranges: Sequence[Range], into: memoryview) -> list[Range]:
        """Read these bytes to the same places of `into`; the ranges that end beyond the file. Raises AwayError."""
        missing = []
        for where in ranges:
            data = self._memory.get((self._name, where))
            if data is None:
                missing.append(where)
            else:
                into[slice(*where)] = data
        if not missing:
            return []
        runs = together(missing)
        wanted = [functools.partial(self._read, run[0][0], run[-1][1]) for run in runs]
        bad = []
        for run, data in zip(runs, self._patience.all(wanted), strict=True):
            for first, beyond in run:
                part = data[first - run[0][0] : beyond - run[0][0]]
                if len(part) < beyond - first:
                    bad.append((first, beyond))
                    continue
                into[first:beyond] = part
                self._memory.put((self._name, (first, beyond)), part, len(part))
        return bad

    def _read(self, first: int, beyond: int) -> bytes:
        with self._lock:
            if self._file is None:
                self._file = self._opened()
            file = self._file
        return bytes(file.read_at(beyond - first, first))


def together(ranges: Sequence[Range]) -> list[list[Range]]:
    """Ranges in their order, those near each other in one run: a request costs more than some bytes too many."""
    runs: list[list[Range]] = []
    for where in sorted(ranges):
        if runs and 0 <= where[0] - runs[-1][-1][1] <= _GAP and where[1] - runs[-1][0][0] <= _PIECE:
            runs[-1].append(where)
        else:
            runs.append([where])
    return runs
