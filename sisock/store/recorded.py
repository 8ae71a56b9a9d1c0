"""What answers are made of: one timeline at rest, as an archive has it or a folder of files that others write."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from sisock.frames import Field, Frame, Times
from sisock.store.identified import Identified
from sisock.store.tiers import Asked, Kept, Span, Tiers

if TYPE_CHECKING:
    from sisock.store.snapshot import Trouble


class Samples(Protocol):
    """What there was of a timeline at one moment."""

    @property
    def identity(self) -> tuple[str | None, int | None]:
        """The latest epoch, and one past its last sequence; None for what has no identity."""

    @property
    def waiting(self) -> Sequence[Identified]:
        """Samples that are in memory only, and in no tier yet."""

    def only_waiting(self) -> "Samples":
        """The same with nothing else."""

    def ends(self) -> Span | None:
        """Time of the first sample and one past that of the last; None without any."""

    def rows_within(self, start: int, end: int) -> int:
        """How many samples there may be in `[start, end)`, at the most."""

    def starts_within(self, start: int, end: int) -> Times:
        """Times in `[start, end)` at which stretches of some thousand samples begin, ascending, each once."""

    def stretches(self, span: Span, most: int) -> Iterator[Span]:
        """The span in parts of no more than so many samples, or of about a million."""

    def read(self, span: Span, names: Sequence[str], trouble: "Trouble") -> Identified | None:
        """The samples in a stretch of time, in the order of time; None without any."""

    def raw(self, span: Span, asked: Asked, trouble: "Trouble") -> Mapping[str, Frame]:
        """The samples at rest of fields, each of the kind asked for, in the order of time."""

    def kinds(self, span: Span, names: Sequence[str]) -> Iterator[tuple[str, bool, int, int]]:
        """Of the fields that are texts and others: whether they are texts, from when and until when at the most.

        Once for each stretch of one kind; of two with the same ends the one that counts comes last.
        """

    def without(self, kinds: Mapping[str, bool]) -> "Samples":
        """The same without the values of these fields that are texts (True), or that are none."""

    def since(self, epoch: str, seq: int) -> Mapping[str, int]:
        """What is new for who has all up to this sequence, as {epoch: first sequence}."""

    def having(self, new: Mapping[str, int]) -> "Samples":
        """The same with only what may have something new."""

    def read_new(
        self, span: Span, names: Sequence[str], new: Mapping[str, int], trouble: "Trouble"
    ) -> Identified | None:
        """What is new of the samples in a stretch of time; None without any."""


class Recorded(Protocol):
    """A timeline at rest, with tiers over what does not wait in memory."""

    @property
    def timeline(self) -> str:
        """Its name."""

    @property
    def fields(self) -> Mapping[str, Field]:
        """All fields it has."""

    @property
    def kinds(self) -> Mapping[str, Mapping[str, Kept]]:
        """For each field but texts the kinds of values it has had."""

    @property
    def tiers(self) -> Tiers:
        """Its tiers; stretches that are not in them are read from the samples."""

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """Held while tiers and samples have to be of one moment."""

    def snapshot(self) -> Samples:
        """What there is now."""

    def asked(self, names: Sequence[str]) -> Sequence[tuple[str, Kept]]:
        """Those of the fields that have tiers, each with every kind of values it has had."""
