"""A node's answer where it does not have all itself: what is kept of it elsewhere, joined with what it has since."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np

from sisock import joining, reduction
from sisock.frames import Answer, Field, Frame, Part, Query, Timeline
from sisock.grid import Grid
from sisock.nearest import Which
from sisock.uris import JOINT

_NOTHING = Answer()


class Past(Protocol):
    """What is kept of a node elsewhere; None where nobody keeps anything, or cannot be asked now."""

    async def get_fields(self, start: int, end: int) -> tuple[dict[str, Field], dict[str, Timeline]] | None:
        """The fields and timelines that are kept."""

    async def get_data(self, query: Query) -> Answer | None:
        """Samples as the query asks; each part tells how far it goes."""

    async def get_sample(self, fields: Sequence[str], t: int, which: Which) -> Answer | None:
        """The sample of each field that is nearest to an instant."""


class Since(NamedTuple):
    """What a node has itself: a frame for each timeline, until when these do not change, what has to be said."""

    frames: Sequence[Frame]
    until: Mapping[str, int | None]
    notices: tuple[str, ...] = ()


Own = Callable[[Query], Awaitable[Since]]  # samples of the query's fields and window, since its (epoch, sequence)


class Lacking(NamedTuple):
    """The fields of which the node does not have all that is asked for, and which of all fields are texts."""

    fields: Collection[str]
    texts: Collection[str]


async def joined(past: Past, own: Own, query: Query, lacking: Lacking) -> Answer | None:
    """The answer of both, each sample once; None where nothing is kept elsewhere, or cannot be asked now."""
    if query.min_stride is not None or (query.max_points is None and query.bin is None):
        return await _samples(past, own, query, lacking.fields)
    return await _Reduced(past, own, query, lacking).answer()


async def _samples(
    past: Past, own: Own, query: Query, lacking: Collection[str], how: Grid | None = None
) -> Answer | None:
    """All samples, and these reduced where the query asks for fewer."""
    asked = query._replace(fields=_some(query, lacking), max_points=None, reduce=None, bin=None, statistics=())
    kept = await past.get_data(asked)
    if kept is None:
        return None
    since = await own(_after(query, kept))
    until = joining.finalized(kept.parts, since.until)
    answer = reduction.answer(joining.lines(kept.parts, since.frames), query, until, how)
    left_out = {part.of: part.samples - len(part.points) for part in kept.parts}  # by the stride
    parts = tuple(part._replace(samples=part.samples + left_out.get(part.of, 0)) for part in answer.parts)
    return replace(answer, parts=parts, notices=(*kept.notices, *since.notices, *answer.notices))


def _some(query: Query, names: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in query.fields if name in names)


def _after(query: Query, kept: Answer) -> Query:
    """The same query for what is not in what is kept."""
    return query._replace(since={**query.since, **joining.accounts(kept)})


class _Reduced:
    """A reduced answer under way."""

    def __init__(self, past: Past, own: Own, query: Query, lacking: Lacking) -> None:
        self._past, self._own, self._query, self._lacking = past, own, query, lacking
        method = reduction.method_of(query)
        of_texts = () if method in reduction.OF_TEXTS else lacking.texts
        self._words = tuple(name for name in query.fields if name in of_texts)
        self._numbers = tuple(name for name in query.fields if name not in of_texts)
        # so few samples are shown as they are
        self._few = -1 if query.bin is not None or method in reduction.PER_BIN else query.max_points or 0

    async def answer(self) -> Answer | None:
        """What is kept is asked for in bins that fit those of what came since."""
        bins, words = await asyncio.gather(self._kept_bins(), self._kept_words())
        if bins is None or words is None:
            return None
        query = self._query
        numbers = await self._own(_after(query._replace(fields=self._numbers), bins))
        texts = await self._own(_after(query._replace(fields=self._words), words))
        how = joining.grid(query, bins, numbers.frames) or reduction.grid_of(query, _ends(texts.frames))
        few = self._few_of(bins, numbers) | self._few_of(words, texts)
        notices = (*bins.notices, *words.notices, *numbers.notices, *texts.notices)
        answers = [
            self._answer(bins, numbers, [name for name in self._numbers if name not in few], how),
            self._answer(words, texts, [name for name in self._words if name not in few], how),
            Answer(notices=notices),
        ]
        if few:
            fields = tuple(name for name in query.fields if name in few)
            whole = await _samples(self._past, self._own, query._replace(fields=fields), self._lacking.fields, how)
            if whole is None:
                return None
            answers.append(whole)
        return joining.together(answers, query, how, bins.tier)

    async def _kept_bins(self) -> Answer | None:
        fields = [name for name in self._numbers if name in self._lacking.fields]
        return await self._past.get_data(joining.ask_bins(self._query, fields)) if fields else _NOTHING

    async def _kept_words(self) -> Answer | None:
        fields = tuple(name for name in self._words if name in self._lacking.fields)
        most = self._query.max_points or reduction.MOST_POINTS
        asked = self._query._replace(fields=fields, reduce=None, max_points=most, bin=None)
        return await self._past.get_data(asked) if fields else _NOTHING

    def _few_of(self, kept: Answer, since: Since) -> set[str]:
        """The fields of timelines that have so few samples that these are shown as they are."""
        samples: dict[str, int] = {}
        for part in kept.parts:
            samples[part.of] = max(samples.get(part.of, 0), part.samples)
        for frame in since.frames:
            samples[frame.timeline] = samples.get(frame.timeline, 0) + len(frame)
        few = {timeline for timeline, count in samples.items() if 0 < count <= self._few}
        names = {name for part in kept.parts if part.of in few for name in part.points.columns}
        names |= {name for frame in since.frames if frame.timeline in few for name in frame.columns}
        return {name.partition(JOINT)[0] for name in names}

    def _answer(self, kept: Answer, since: Since, names: Sequence[str], how: Grid | None) -> Answer:
        """What is kept of these fields joined with what came since, a part for each."""
        until, frames = joining.finalized(kept.parts, since.until), {each.timeline: each for each in since.frames}
        made: list[Part] = []
        notices: list[str] = []
        for timeline in dict.fromkeys([*(part.of for part in kept.parts), *frames]):
            parts, frame = [part for part in kept.parts if part.of == timeline], frames.get(timeline)
            like = _like(timeline, frame, parts)
            for name in names:
                words = next((part for part in parts if name in part.points.columns), None)
                if words is not None or name in self._words:
                    changes = joining.words(like, name, words, frame, until.get(timeline), self._most(how))
                    made += changes.parts
                    notices += changes.notices
                elif how is not None:
                    part = joining.part(like, name, parts, frame, until.get(timeline), how, self._query)
                    made += [] if part is None else [part]
        return Answer(tuple(made), reduction.method_of(self._query), notices=tuple(notices))

    def _most(self, how: Grid | None) -> int:
        """Changes of a text at the most."""
        return self._query.max_points or (2 * how.most if how is not None else reduction.MOST_POINTS)


def _like(timeline: str, since: Frame | None, kept: Sequence[Part]) -> Frame:
    """No samples, with the timeline's name and how far the answer goes."""
    last = since if since is not None else kept[0].points
    return Frame(timeline, np.empty(0, np.int64), {}, last.epoch, last.seq)


def _ends(frames: Sequence[Frame]) -> list[tuple[int, int]]:
    return [(int(frame.t[0]), int(frame.t[-1]) + 1) for frame in frames if len(frame)]
