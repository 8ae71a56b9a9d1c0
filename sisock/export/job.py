"""What an export has to do, and how far it is: a small file beside what it writes."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sisock.frames import Field
from sisock.keys import files
from sisock.parsing import from_json
from sisock.uris import JOINT

VERSION = 1


@dataclass
class Table:
    """One file: the fields of one timeline of a node. Times are int64 ns; `done` is where to go on."""

    node: str
    timeline: str
    fields: dict[str, Field]
    path: Path
    start: int
    end: int
    bin: int | None = None
    method: str | None = None
    done: int = 0
    width: int = 0  # of the last window
    bytes: int = 0  # of the part that are sound
    rows: int = 0
    samples: int = 0  # behind the rows
    values: dict[str, int] = field(default_factory=dict)  # column -> values that are there
    kinds: dict[str, list[str]] = field(default_factory=dict)  # column -> dtypes that came
    notices: list[str] = field(default_factory=list)
    finished: bool = False

    @property
    def part(self) -> Path:
        """Where it is written until it is whole."""
        return self.path.with_name(f"{self.path.name}.part")

    @property
    def columns(self) -> list[str]:
        """The columns beside the time: a band has three for each field."""
        if self.method != "band":
            return list(self.fields)
        return [f"{name}{end}" for name in self.fields for end in (f"{JOINT}min", "", f"{JOINT}max")]

    def field_of(self, column: str) -> Field:
        """The field that a column is of."""
        about = self.fields[column.partition(JOINT)[0]]
        return about if self.method != "count" else Field(about.description, about.timeline, "number")

    def target(self, column: str) -> str:
        """The column's name in the file."""
        return f"{self.node}{JOINT}{column}"


@dataclass
class Job:
    """All tables of an export. `asked` is what was asked for, in words: who asks the same again goes on with it."""

    output: Path
    kind: str  # csv, parquet, arrow, hdf5
    times: str  # iso or ns: how CSV says them
    asked: Mapping[str, Any]
    tables: list[Table]

    @property
    def state(self) -> Path:
        """The small file."""
        return state_of(self.output)

    @property
    def unfinished(self) -> list[Table]:
        """The tables that are not in their files yet."""
        return [table for table in self.tables if not table.finished]

    @property
    def rows(self) -> int:
        """How many rows were written so far."""
        return sum(table.rows for table in self.tables)

    @property
    def share(self) -> float:
        """Which share of the time was copied."""
        shares = [(table.done - table.start) / max(1, table.end - table.start) for table in self.tables]
        return sum(shares) / max(1, len(shares))

    def save(self) -> None:
        """Note how far it is."""
        tables = [{**asdict(table), "path": str(table.path)} for table in self.tables]
        content = {"v": VERSION, "asked": self.asked, "kind": self.kind, "times": self.times, "tables": tables}
        files.write(self.state, json.dumps(content, indent=1) + "\n")

    def forget(self) -> None:
        """There is nothing left to go on with."""
        self.state.unlink(missing_ok=True)


def state_of(output: Path) -> Path:
    """Where an export into this file notes how far it is."""
    return output.with_name(f"{output.name}.part.json")


def target_of(path: Path) -> Path:
    """The file to write for this path: what a symlink leads to. Raises ValueError for what is there and no file."""
    found = Path(os.path.realpath(path)) if path.is_symlink() else path
    if not path.is_file() and (path.exists() or os.path.lexists(found)):
        raise ValueError(f"{path} is there and no regular file: an export would take its place, choose another name")
    return found


def unfinished(output: Path, asked: Mapping[str, Any]) -> Job | None:
    """The export into this file that was interrupted, if there is one; raises ValueError if it is of something else."""
    path = state_of(output)
    if not path.exists():
        return None
    cure = f"finish it with the same command as then, or delete {path} to begin anew"
    try:
        kept = from_json(path.read_text(encoding="utf-8"))
        if kept["v"] != VERSION:
            raise ValueError
        job = Job(output, kept["kind"], kept["times"], dict(kept["asked"]), [_table(each) for each in kept["tables"]])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not what an export of this version left: delete it to begin anew") from error
    if job.asked != json.loads(json.dumps(dict(asked))):
        raise ValueError(f"{output} was begun by an export of something else: {cure}")
    return job


def _table(kept: dict[str, Any]) -> Table:
    fields = {name: Field(*about) for name, about in kept.pop("fields").items()}
    return Table(**{**kept, "path": Path(kept["path"]), "fields": fields})


def paths(output: Path, timelines: Sequence[tuple[str, str]]) -> list[Path]:
    """The files for (node, timeline)s: FILE itself for a single one, FILE-TIMELINE for several, FILE-NODE-TIMELINE
    where there are several nodes. Raises ValueError as `target_of`.
    """
    if len(timelines) == 1:
        return [output]
    several = len({node for node, _ in timelines}) > 1
    made: list[Path] = []
    for node, timeline in timelines:
        plain = "".join(each if each.isalnum() or each in "._-" else "_" for each in timeline)
        name = f"{output.stem}-{node}-{plain}" if several else f"{output.stem}-{plain}"
        path, number = output.with_name(name + output.suffix), 1
        while path in made:
            number += 1
            path = output.with_name(f"{name}-{number}{output.suffix}")
        made.append(path)
    return [target_of(path) for path in made]
