"""What `lsof -F0` prints, as columns: one row for each open file, nothing lost."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sisock.frames import TEXT, Column

Parts = Mapping[str, str]  # field letter -> what follows it; lsof(8), "OUTPUT FOR OTHER PROGRAMS"
_NOBODY: Parts = {}  # stands last, at index -1: the process of files that came before any
_WHOLE = re.compile(r"[0-9]{1,18}")  # what an int64 holds


class Scan(NamedTuple):
    """A piece of what lsof printed: processes (and their tasks), their open files, and what was neither.

    `owner` has the index of each file's process, shape (files,); -1 for a file that came before any process.
    """

    processes: list[Parts]
    files: list[Parts]
    owner: NDArray[np.intp]
    unreadable: int


def scan(output: str, most: int = 2000) -> Iterator[Scan]:
    """Split the output into processes and files, piece by piece of at most so many files: memory stays small.

    Lines that are neither are counted. The first process of a piece may be the last one of the piece before.
    """
    processes: list[Parts] = []
    files: list[Parts] = []
    owner: list[int] = []
    unreadable = 0
    for line in _lines(output):
        if len(files) == most:
            yield Scan(processes, files, np.array(owner, np.intp), unreadable)
            processes, files, owner, unreadable = processes[-1:], [], [], 0
        parts = {part[:1]: part[1:] for part in line.split("\0")}
        if line[:1] == "f":
            if "T" in parts:  # it stands there several times: the state of a connection, its queues
                state = line.partition("\0TST=")[2].partition("\0")[0]
                if state:
                    parts["n"] = f"{parts.get('n', '')} ({state})"
            files.append(parts)
            owner.append(len(processes) - 1)
        elif line[:1] == "p":
            processes.append(parts)
        elif line:
            unreadable += 1
    yield Scan(processes, files, np.array(owner, np.intp), unreadable)


def _lines(output: str) -> Iterator[str]:
    """Lines end with NUL and newline: the name of a task may have a bare newline in it."""
    begin = 0
    while (end := output.find("\0\n", begin)) >= 0:
        yield output[begin:end]
        begin = end + 2
    yield output[begin:]


def records(found: Scan) -> dict[str, Column]:
    """Every file as a row with the columns of lsof's own table, as lsof said it; shape (files,)."""
    processes = [*found.processes, _NOBODY]
    files, owner = found.files, found.owner
    return {
        "command": _texts([each.get("c") for each in processes]).rows(owner),
        "pid": _numbers([each.get("p") for each in processes]).rows(owner),
        "tid": _numbers([each.get("K") for each in processes]).rows(owner),
        "user": _texts([user_of(each) for each in processes]).rows(owner),
        "fd": _texts([(each["f"] + each.get("a", "") + each.get("l", "")).rstrip() for each in files]),
        "type": _texts([each.get("t") for each in files]),
        "device": _texts([each.get("D") or each.get("d") for each in files]),
        "size": _numbers([each.get("s") for each in files]),
        "node": _texts([each.get("i") or each.get("P") for each in files]),
        "name": _texts([each.get("n") for each in files]),
    }


def counts(found: Scan) -> dict[str, Counter[str]]:
    """Open files by type, by user and by the name of the process; what lsof did not say counts as `unknown`."""
    processes = [*found.processes, _NOBODY]
    by_user: Counter[str] = Counter()
    by_command: Counter[str] = Counter()
    for index, files in Counter(found.owner.tolist()).items():
        by_user[user_of(processes[index]) or "unknown"] += files
        by_command[processes[index].get("c") or "unknown"] += files
    by_type = Counter(parts.get("t") or "unknown" for parts in found.files)
    return {"type": by_type, "user": by_user, "process": by_command}


def user_of(process: Parts) -> str | None:
    """The login name, or the number of a user who has none."""
    return process.get("L") or process.get("u")


def _texts(values: list[str | None]) -> Column:
    if None not in values:
        return Column(np.array(values, TEXT))
    return Column(np.array([value or "" for value in values], TEXT), np.array([value is None for value in values]))


def _numbers(values: list[str | None]) -> Column:
    """Whole numbers; missing where there is none or none that is readable."""
    numbers = [int(value) if value and _WHOLE.fullmatch(value) else None for value in values]
    missing = np.array([number is None for number in numbers], bool)
    return Column(np.array([number or 0 for number in numbers], np.int64), missing if missing.any() else None)
