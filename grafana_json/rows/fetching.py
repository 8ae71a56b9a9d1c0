"""Samples of the fields that rows are made of, each with its label, and whether they can ever change."""

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from grafana_json.rows.asking import Asked, Instant
from grafana_json.rows.questions import FailedError, Question
from grafana_json.series import Label, Notice
from grafana_json.sharing import Sharing
from grafana_json.targets import Wanted
from sisock.consumer import Request
from sisock.errors import ConsumerError, NodeUnknown
from sisock.frames import Answer, Column, Field, Part, Times
from sisock.reduction import PER_BIN
from sisock.uris import JOINT

_LOOK = 0.5  # seconds that finding out whether an answer can change may take at the most

Answers = dict[str, Answer | ConsumerError]


class Samples(NamedTuple):
    """A column of values, shape (n,): those of a field, or one of the three that a band has of it (`field::min`)."""

    node: str
    field: str
    t: Times
    column: Column
    unit: str | None
    label: Label
    until: int | None  # ns before which these never change, where the node tells

    @property
    def name(self) -> str:
        """What a column of these is called."""
        return f"{self.node}{JOINT}{self.field}"


class Found(NamedTuple):
    """All samples, what has to be said, and whether all of this will be the same for ever."""

    samples: tuple[Samples, ...]
    notices: tuple[Notice, ...]
    closed: bool


class Readings(NamedTuple):
    """One sample of each field, None where there is none; and what has to be said."""

    found: tuple[tuple[Wanted, Field | None, Samples | None], ...]
    notices: tuple[Notice, ...]


def fetch(source: Sharing, question: Question, asked: Asked, deadline: float, *, look: bool) -> Found:
    """Ask all nodes at the same time, each within the deadline in seconds, always anew: rows are of the very window.

    `look`: find out whether the answer can change. Raises FailedError where no target is answered.
    """
    passed = _passed(source, question, asked, deadline) if look else set()  # before: nothing comes in between unnoticed
    requests = [
        Request(node, names, 0.0, 0.0, asked.points, asked.reduce, asked.bin, (asked.start, asked.end))
        for node, names in question.nodes.items()
    ]
    answers = dict(zip(question.nodes, source.anew(requests, deadline), strict=True))
    samples: list[Samples] = []
    told = _Told(question)
    for wanted, field in zip(question.wanted, question.fields, strict=True):
        made = told.answered(wanted, field, answers, "in this range")
        samples += made
        final = all(each.until is not None and each.until >= asked.end for each in made) and bool(made)
        told.closed &= field is not None and (final or (wanted.node, wanted.field) in passed)
    told.end()
    return Found(tuple(samples), tuple(told.notices), told.closed)


def read(source: Sharing, question: Question, asked: Instant, deadline: float) -> Readings:
    """The sample of each field that is nearest to an instant. Raises FailedError where no target is answered."""
    names = [wanted.name for wanted in question.wanted]
    answers = source.instant(0.0, names, asked.which, ns=asked.t, deadline=deadline)
    told = _Told(question)
    found: list[tuple[Wanted, Field | None, Samples | None]] = []
    for wanted, field in zip(question.wanted, question.fields, strict=True):
        made = told.answered(wanted, field, answers, f"{asked.which} this time")
        if not isinstance(answers.get(wanted.node), ConsumerError):
            found.append((wanted, field, made[0] if made else None))
    told.end()
    return Readings(tuple(found), tuple(told.notices))


class _Told:
    """What has to be said of the answers, as they are gone through."""

    def __init__(self, question: Question) -> None:
        self._failed = [FailedError(404, each.why) for each in question.broken]
        self.notices = [Notice("error", each.why) for each in question.broken]
        self.closed = True
        self._any = False

    def answered(self, wanted: Wanted, field: Field | None, answers: Answers, where: str) -> list[Samples]:
        """The samples of a field; what is wrong is noted."""
        answer = answers.get(wanted.node) or ConsumerError(f"{wanted.node} was not asked")
        if isinstance(answer, ConsumerError):
            self._fail(404 if isinstance(answer, NodeUnknown) else 503, str(answer))
            return []
        self._say(Notice("warning", text) for text in answer.notices)
        made = _samples(wanted, field, answer)
        if not made and field is None:
            sentence = f"{wanted.node} has no field {wanted.field!r:.80}: /api/fields lists what it has"
            self._fail(404, sentence)
            return []
        if not made:
            self._say([Notice("info", f"{wanted.name} has no samples {where}")])
        self._any = True
        return made

    def end(self) -> None:
        """Raise FailedError where nothing was answered."""
        self.closed &= all(notice.severity == "info" for notice in self.notices)
        if not self._any:
            raise max(self._failed, key=lambda failed: failed.status)

    def _fail(self, status: int, sentence: str) -> None:
        self._failed.append(FailedError(status, sentence))
        self._say([Notice("error", sentence)])

    def _say(self, notices: Iterable[Notice]) -> None:
        self.notices += [notice for notice in dict.fromkeys(notices) if notice not in self.notices]


def _passed(source: Sharing, question: Question, asked: Asked, deadline: float) -> set[tuple[str, str]]:
    """The fields that have a sample at the window's end or after it: times ascend, so nothing comes before it any more."""
    if asked.end > time.time_ns():
        return set()
    names = [wanted.name for wanted in question.wanted]
    answers = source.instant(0.0, names, "after", ns=asked.end - 1, deadline=min(_LOOK, deadline))
    return {
        (node, name)
        for node, answer in answers.items()
        if not isinstance(answer, ConsumerError)
        for part in answer.parts
        for name in part.points.columns
        if len(part.points) and int(part.points.t[0]) >= asked.end
    }


def _samples(wanted: Wanted, field: Field | None, answer: Answer) -> list[Samples]:
    """The columns that an answer has of a field: of a band its minimum and maximum, too."""
    unit = field.units if field else None
    return [
        Samples(wanted.node, name, part.points.t, column, unit, _label(answer, part), part.finalized_until)
        for part in answer.parts
        if len(part.points)
        for name, column in part.points.columns.items()
        if name.partition(JOINT)[0] == wanted.field
    ]


def _label(answer: Answer, part: Part) -> Label:
    reduced = part.samples > len(part.points) or answer.method in PER_BIN
    return Label(answer.method if reduced else "raw", part.samples, answer.bin, part.gaps)


def told(found: Found) -> dict[str, Any]:
    """What is to be known beside the rows, times in ms: of each column its unit and label; and notices."""
    return {
        "series": [_about(each) for each in found.samples],
        "notices": [notice._asdict() for notice in found.notices],
    }


def _about(samples: Samples) -> dict[str, Any]:
    label = samples.label
    return {
        "target": samples.name,
        "unit": samples.unit,
        "method": label.method,
        "samples": label.samples,
        "bin": None if label.bin is None else label.bin / 1e6,
        "gaps": [[start // 1_000_000, end // 1_000_000] for start, end in label.gaps],
        "finalized_until": None if samples.until is None else samples.until // 1_000_000,
    }
