"""What a request holds is taken as a whole: on disk, or told line by line why not."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from data_nodes.admitting import Fields
from data_nodes.ingest.bodies import Refusal
from data_nodes.ingest.together import Together
from data_nodes.points import Naming
from sisock import records
from sisock.frames import Frame
from sisock.nodes import Intake, NotKept
from sisock.parsers.lines import UNITS, Refused
from sisock.records.mapping import Mapping

log = logging.getLogger(__name__)
_MOST_LINES = 10_000  # that are read together
_MOST_BYTES = 2**20  # of these
_PATIENCE = 60.0  # seconds for the quarantine
_SINGLY = 100  # refused lines of a request that go into quarantine by themselves
SHOWN = 100  # refused lines that an answer names


class _Aside(NamedTuple):
    """A line that was not taken: its number, why, and how it reads."""

    line: int
    reason: str
    text: str


class Outcome(NamedTuple):
    """How many samples were kept, and what was not."""

    kept: int
    refused: list[Refused]


class Pace:
    """So many lines a second, and as many at once."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Any number where the rate is 0."""
        self._rate, self._clock = rate, clock
        self._room, self._at = rate, clock()

    def wait(self, count: int) -> float:
        """Seconds after which so many may come; 0 where they may now, and are counted."""
        if not self._rate:
            return 0.0
        now = self._clock()
        self._room = min(self._rate, self._room + (now - self._at) * self._rate)
        self._at = now
        if self._room <= 0:
            return (1 - self._room) / self._rate
        self._room -= count
        return 0.0


class Taking:
    """Takes what requests hold, from any thread."""

    def __init__(self, naming: Naming, fields: Fields, how: Mapping, rate: float) -> None:
        """Name lines and records so, and take so many a second."""
        self._naming, self._fields, self._how = naming, fields, how
        self._lock = threading.Lock()  # names and rates
        self._pace = Pace(rate)
        self.denied = 0  # requests without the token
        self._intake: Intake | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, intake: Intake) -> None:
        """Hand on to this intake, in the loop that runs."""
        self._intake, self._loop = intake, asyncio.get_running_loop()

    def lines(self, body: bytes, precision: str, source: str) -> Outcome:
        """Take line protocol. Raises Refusal, where nothing of it is kept."""
        if precision not in UNITS:
            raise Refusal(400, f"precision={precision!r:.20} is unknown: give one of {', '.join(UNITS)}")
        together, aside, before = Together(), list[_Aside](), 0
        self._hold_back(body.count(b"\n") + 1)
        for piece in pieces(body):
            text, broken = decoded(piece)
            with self._lock:
                taken = self._naming.take(text, time.time_ns(), precision)
            together.add(taken.frames)
            for each in sorted([*taken.refused, *broken]):
                aside.append(_Aside(before + each.line, each.reason, taken.lines[each.line]))
            before += len(taken.lines)
        frames = together.frames()
        self._keep(frames, source)
        if aside:
            self._set_aside(aside, source)
            self._settle()
        return Outcome(sum(map(len, frames)), [Refused(each.line, each.reason) for each in aside])

    def records(self, body: bytes, source: str) -> Outcome:
        """Take flat records, JSON or CBOR. Raises Refusal."""
        now = time.time_ns()
        self._hold_back(1)
        frames: list[Frame] = []
        with self._lock:
            made = records.frames([records.Received(body, now)], self._how, now, self._fields.known)
            reasons = [each.reason for each in made.refused]
            for each in made.frames:
                frame, why = self._fields.admit(each)
                frames += [] if frame is None else [frame]
                reasons += why
        self._keep(frames, source)
        for reason in reasons[:_SINGLY]:
            self._intake_now.quarantine(source, reason, body)
        if len(reasons) > _SINGLY:
            self._intake_now.quarantine(source, f"{len(reasons) - _SINGLY} more of the same body", body)
        if reasons:
            self._settle()
        return Outcome(sum(map(len, frames)), [Refused(number, reason) for number, reason in enumerate(reasons)])

    def refuse(self, source: str, why: str, body: bytes = b"") -> None:
        """Keep what could not be read at all."""
        self._intake_now.quarantine(source, why, body)
        self._settle()

    def deny(self, address: str) -> None:
        """Count a request without the token; nothing is kept of it."""
        assert self._loop is not None  # nobody is answered before

        def deny() -> None:
            self.denied += 1
            self._intake_now.deny(address, "the token is missing or wrong")

        self._loop.call_soon_threadsafe(deny)

    @property
    def _intake_now(self) -> Intake:
        assert self._intake is not None  # nobody is answered before
        return self._intake

    def _hold_back(self, count: int) -> None:
        with self._lock:
            wait = self._pace.wait(count)
        if wait:
            raise Refusal(429, f"more lines came than rate allows: try again in {wait:.1f} s")

    def _keep(self, frames: list[Frame], source: str) -> None:
        """Return when it is on disk. Raises Refusal."""
        if not frames:
            return
        assert self._loop is not None  # likewise
        keeping = asyncio.run_coroutine_threadsafe(self._intake_now.keep(frames, source=source), self._loop)
        try:
            keeping.result()  # which comes, or is refused, within a minute, unless the disk hangs while it is written
        except NotKept as error:
            raise Refusal(503, f"it is not on disk: {error}: send it again later") from error

    def _settle(self) -> None:
        """Return when what was refused is on disk, as senders do not send it again."""
        assert self._loop is not None  # likewise
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._intake_now.quarantined(), self._loop).result(_PATIENCE)

    def _set_aside(self, lines: list[_Aside], source: str) -> None:
        """Keep the lines that were not taken."""
        for each in lines[:_SINGLY]:
            self._intake_now.quarantine(source, f"line {each.line + 1}: {each.reason}", each.text)
        if more := lines[_SINGLY:]:
            text = "\n".join(each.text for each in more)
            self._intake_now.quarantine(source, f"{len(more)} more lines of the same body: {more[0].reason}", text)


def pieces(body: bytes) -> Iterator[bytes]:
    """A body in pieces that end with lines; what a quote holds together may lie in two."""
    begin = 0
    while len(body) - begin > _MOST_BYTES:
        end = body.rfind(b"\n", begin, begin + _MOST_BYTES) + 1 or body.find(b"\n", begin + _MOST_BYTES) + 1
        if not end:
            break
        yield from _of_lines(body[begin:end])
        begin = end
    yield from _of_lines(body[begin:])


def _of_lines(piece: bytes) -> Iterator[bytes]:
    if piece.count(b"\n") <= _MOST_LINES:
        yield piece.removesuffix(b"\n")
        return
    lines = piece.removesuffix(b"\n").split(b"\n")
    for first in range(0, len(lines), _MOST_LINES):
        yield b"\n".join(lines[first : first + _MOST_LINES])


def decoded(piece: bytes) -> tuple[str, list[Refused]]:
    """The text, and the lines that are none; these are comments in it."""
    try:
        return piece.decode(), []
    except UnicodeDecodeError:
        lines, broken = [], list[Refused]()
        for number, line in enumerate(piece.split(b"\n")):
            try:
                lines.append(line.decode())
            except UnicodeDecodeError as error:
                lines.append("#" + line.decode("utf-8", "backslashreplace"))
                broken.append(Refused(number, f"byte {error.start + 1} is not UTF-8"))
        return "\n".join(lines), broken
