"""Readers that are given damaged and senseless inputs, in a process of their own: a library that crashes is noticed.

`python -m tests.hostile_reading NAME SEED FIRST COUNT` gives a reader the inputs of these numbers; a failure tells which.
"""

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from tests.mutants import damaged

SLOW = 1.0  # seconds of work that an input may take
WAIT = 5.0  # seconds by the clock: other programs may have the machine meanwhile
STUCK = 30.0  # seconds after which nothing comes any more
GROWTH = 50 * 2**20  # bytes
_AGAIN = 3  # how often an input is slow that is slow
_MOST_TOLD = 3
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a disk takes most of the time
_ROOT = Path(__file__).parents[1]


class Reader(NamedTuple):
    """What reads, which good inputs there are, how they are made bad ones, and what it may raise: sentences."""

    read: Callable[[Any, Path], object]  # of an input, with an empty folder for its files
    corpus: Callable[[Path], Sequence[Any]]
    errors: tuple[type[Exception], ...] = ()
    mutate: Callable[[Random, Sequence[Any]], Any] = damaged
    share: int = 1  # of the inputs it gets one in so many: what takes long, and whose parts get all of them


class Outcome(NamedTuple):
    """What became of it."""

    failures: list[str]
    read: int = 0  # inputs that were read as if they were good
    grown: int = 0  # bytes


def suffer(name: str, count: int, seed: int) -> Outcome:
    """Have a reader read so many inputs. What is wrong comes back as sentences, each with the line that repeats it."""
    with tempfile.TemporaryDirectory(dir=_MEMORY) as work:
        told = Path(work, "told")
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", __name__, name, str(seed), "0", str(count), work],
            cwd=_ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        number = int(told.read_text() or 0) if told.exists() else -1
    if done.returncode == 0:
        return Outcome(*json.loads(done.stdout.splitlines()[-1]))
    stuck = done.returncode == -signal.SIGALRM
    what = f"takes more than {STUCK} s" if stuck else f"ends the process ({done.returncode}): {done.stderr[-2000:]}"
    return Outcome([f"{_again(name, seed, number)} {what}"])


def _again(name: str, seed: int, number: int) -> str:
    return f"python -m tests.hostile_reading {name} {seed} {number} 1:"


def _main(name: str, seed: int, first: int, count: int, folder: Path) -> Outcome:
    logging.disable()
    module, _, key = name.partition(":")
    reader: Reader = import_module(f"tests.{module}").READERS[key]
    corpus = reader.corpus(_emptied(folder / "corpus"))
    for each in corpus:
        reader.read(each, _emptied(folder / "work"))
    told = os.open(folder / "told", os.O_RDWR | os.O_CREAT)
    before, failures, good = _size(), [], 0
    for number in range(first, first + count):
        made = reader.mutate(Random(f"{seed} {number}"), corpus)
        os.pwrite(told, f"{number:9}".encode(), 0)
        wrong = _once(reader, made, folder / "work")
        good += wrong is None
        if wrong:
            failures.append(f"{_again(name, seed, number)} {wrong}\n{made!r:.300}")
            if len(failures) == _MOST_TOLD:
                break
    return Outcome(failures, good, _size() - before)


def _once(reader: Reader, made: Any, work: Path) -> str | None:
    """What is wrong with how it is read; None if it is read, empty if it is refused."""
    took = []
    for _ in range(_AGAIN):
        _emptied(work)
        signal.setitimer(signal.ITIMER_REAL, STUCK)
        began, worked, wrong = time.monotonic(), time.process_time(), None
        try:
            reader.read(made, work)
        except reader.errors as error:
            wrong = f"says no sentence: {error!r}" if not str(error) else ""
        except Exception:  # noqa: BLE001
            wrong = traceback.format_exc(-8)
        spent, passed = time.process_time() - worked, time.monotonic() - began
        signal.setitimer(signal.ITIMER_REAL, 0)
        took.append(passed)
        if (spent <= SLOW and passed <= WAIT) or wrong:
            return wrong
    return f"takes {min(took):.1f} s"


def write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put these files below a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def read_all(folder: Path) -> dict[str, bytes]:
    """All files below a folder, by their paths."""
    return {str(each.relative_to(folder)): each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()}


def _emptied(folder: Path) -> Path:
    if folder.is_dir() and any(folder.iterdir()):
        shutil.rmtree(folder)
    folder.mkdir(exist_ok=True)
    return folder


def _size() -> int:
    """The most memory that this process ever had, bytes."""
    (line,) = [each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024  # ru_maxrss would begin with that of who started this process


if __name__ == "__main__":
    given = sys.argv[1:]
    with contextlib.ExitStack() as stack:
        place = given[4] if len(given) > 4 else stack.enter_context(tempfile.TemporaryDirectory(dir=_MEMORY))
        print(json.dumps(_main(given[0], int(given[1]), int(given[2]), int(given[3]), Path(place))))  # noqa: T201
