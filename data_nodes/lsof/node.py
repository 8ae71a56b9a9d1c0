"""Open files of every process, by lsof."""

import time
from collections import Counter
from collections.abc import Callable

import numpy as np

from data_nodes.lsof import parser
from data_nodes.lsof.tally import Tally
from sisock.frames import Field, Frame, Times, column
from sisock.nodes import CommandNode, NoData

_FIELDS = {
    "total": Field("open files", "counts", "number", "files"),
    "processes": Field("processes", "counts", "number", "processes"),
    "unreadable": Field("lines of lsof that were not understood", "counts", "number", "lines"),
    "command": Field("name of the process", "records", "string"),
    "pid": Field("number of the process", "records", "number"),
    "tid": Field("number of the task, where it is one of several", "records", "number"),
    "user": Field("login name, or number, of the process's user", "records", "string"),
    "fd": Field(
        "file descriptor, or cwd, rtd, txt, mem …; behind it r, w or u and the kind of lock", "records", "string"
    ),
    "type": Field("type of the file, as lsof says it", "records", "string"),
    "device": Field("device number, or address of a socket", "records", "string"),
    "size": Field("size of the file", "records", "number", "B"),
    "node": Field("number of the file on its device, or protocol of a socket", "records", "string"),
    "name": Field("path, or addresses of a connection and its state", "records", "string"),
}


class Lsof(CommandNode):
    """Open files: how many there are by type, user and process, and each of them as a record."""

    name = "lsof"
    sensitive = True  # paths and users of the whole machine
    # -n, -P: no questions to name servers, which may hang. No -w: it drops the records of files that may not be read.
    # Without o, which would hide the sizes. The records are those of a bare -F0.
    argv = ("lsof", "-n", "-P", "-F", "pcKLuftalDdsiPTn0")
    exits = (0, 1)  # 1: something could not be listed
    cure = "apt-get install lsof"

    def __init__(self, *, interval: float = 15.0, largest: int = 20, clock: Callable[[], int] = time.time_ns) -> None:
        """Scan every `interval` seconds; count the `largest` types, users and processes each."""
        self.interval, self.timeout = interval, max(10.0, interval)
        self._clock = clock
        self._counted: dict[str, Field] = {}
        self._tallies = {group: Tally(group, largest) for group in ("type", "user", "process")}

    @property
    def fields(self) -> dict[str, Field]:
        """Counts by type, user and process as they were met, beside what every scan has."""
        return _FIELDS | self._counted

    def parse(self, output: str) -> list[Frame]:
        """The counts as one row, and every open file as a row of its own at the same time."""
        t = np.array([self._clock()], np.int64)
        records: list[Frame] = []
        counted = {group: Counter[str]() for group in self._tallies}
        processes: set[str] = set()
        unreadable = 0
        for found in parser.scan(output):
            records.append(Frame("records", t.repeat(len(found.files)), parser.records(found)))
            for group, counts in parser.counts(found).items():
                counted[group] += counts
            processes |= {process["p"] for process in found.processes}
            unreadable += found.unreadable
        total = sum(map(len, records))
        if not total:
            raise NoData("lsof listed no open file: it may not look into any process")
        numbers = {"total": total, "processes": len(processes), "unreadable": unreadable}
        return [self._counts(t, numbers, counted), *records]

    def _counts(self, t: Times, numbers: dict[str, int], counted: dict[str, Counter[str]]) -> Frame:
        """All counts as one row; the fields of each group are those of its tally."""
        for group, counts in counted.items():
            by_field = self._tallies[group].fields(counts)
            self._counted |= dict.fromkeys(by_field, Field(f"open files of this {group}", "counts", "number", "files"))
            numbers |= by_field
        return Frame("counts", t, {field: column([number]) for field, number in numbers.items()})
