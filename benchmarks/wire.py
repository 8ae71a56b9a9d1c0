"""100,000 points through the router as typed columns, against a plain byte string of the same size.

The peers take turns, every call brings other values, and every answer is decoded and compared with what was sent.
JSON lists, as the original had them, stand beside for comparison.

`python -m benchmarks.wire [--rounds 40] [--points 100000]`; exit code 1 if the ratio is too high or an answer is wrong.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import machine, table
from sisock import wire
from sisock.frames import Answer, Column, Frame, Part
from sisock.keys import ensure_key
from sisock.settings import Settings
from sisock.testing import running_router
from sisock.wamp import Call, Link

AIM = 1.5  # times a plain byte string
_JSON_EVERY = 8  # rounds: it is slow, and needs no sharp figure
_WARM = 4  # rounds that do not count
_START = 1_500_000_000 * 10**9


class Samples:
    """So many points, other ones at each call, and made in next to no time."""

    def __init__(self, points: int) -> None:
        """Draw what all of them have in common."""
        self.points = points
        self.t = _START + np.arange(points) * 10**9
        self._noise = np.random.default_rng(1).normal(size=points)

    def values(self, call: int) -> NDArray[np.float64]:
        """The values of a call."""
        return self._noise + call


class Source:
    """A node that gives the same samples in three forms."""

    def __init__(self, samples: Samples) -> None:
        """Give these samples."""
        self._samples = samples

    async def offer(self, link: Link) -> None:
        """Register what answers."""
        await link.register(link.settings.uris.node("wire", "get_data"), self._answer)

    async def _answer(self, call: Call) -> Any:
        """The samples of a call in a form."""
        form, number = call.args
        t, values = self._samples.t, self._samples.values(number)
        if form == "plain":
            return t.tobytes() + values.tobytes()
        if form == "in_json":
            return json.dumps({"data": {"a": values.tolist()}, "timeline": {"t": {"t": (t / 1e9).tolist()}}})
        return wire.encode_answer(
            Answer((Part(Frame("t", t, {"a": Column(values)}, "epoch", len(t)), "t", None, len(t)),))
        )


def from_typed(answer: Any, points: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Times in ns and values of a typed answer."""
    t, column = wire.decode_answer(answer).series("a")
    return t, column.values


def from_plain(answer: Any, points: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Times in ns and values of the plain bytes."""
    return np.frombuffer(answer, "<i8", points), np.frombuffer(answer, "<f8", points, offset=8 * points)


def from_json(answer: Any, points: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Times in ns and values of the lists."""
    lists = json.loads(answer)
    return (np.array(lists["timeline"]["t"]["t"]) * 1e9).astype(np.int64), np.array(lists["data"]["a"])


FORMS: dict[str, Callable[[Any, int], tuple[NDArray[Any], NDArray[Any]]]] = {
    "plain": from_plain,
    "typed": from_typed,
    "in_json": from_json,
}
SHOWN = {"plain": "plain bytes", "typed": "typed columns", "in_json": "lists in JSON"}


async def measure(settings: Settings, points: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each call by form; raises ValueError where an answer is not what was sent."""
    samples = Samples(points)
    source = Link(settings, "wire", ensure_key(settings.state, "wire"), Source(samples).offer)
    caller = Link(settings, "cli", ensure_key(settings.state, "cli"))
    running = [asyncio.ensure_future(link.run()) for link in (source, caller)]
    try:
        for link in (source, caller):
            await asyncio.wait_for(link.joined.wait(), 30)
        return await _rounds(caller, samples, rounds)
    finally:
        for link in (source, caller):
            await link.leave()
        await asyncio.wait(running)


async def _rounds(caller: Link, samples: Samples, rounds: int) -> dict[str, list[float]]:
    uri = caller.settings.uris.node("wire", "get_data")
    took: dict[str, list[float]] = {form: [] for form in FORMS}
    for number in range(-_WARM, rounds):
        for form, decode in FORMS.items():
            if form == "in_json" and number % _JSON_EVERY:
                continue
            began = time.perf_counter()
            t, values = decode(await caller.call(uri, form, number, deadline=60), samples.points)
            took[form].append(time.perf_counter() - began)
            if not np.array_equal(values, samples.values(number)) or not np.array_equal(t, samples.t):
                raise ValueError(f"{SHOWN[form]}: what came is not what was sent")
    return {form: times[-rounds:] for form, times in took.items()}


def main() -> int:
    """Print the figures; 1 if the aim was missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--points", type=int, default=100_000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_router(Path(folder), {"wire": "data_node", "cli": "consumer"}) as router,
    ):
        took = asyncio.run(measure(router.settings, options.points, options.rounds))
    middle = {form: statistics.median(times) for form, times in took.items()}
    ratio = {form: each / middle["plain"] for form, each in middle.items()}
    rows = [["form", "calls", "median ms", "times plain bytes"]]
    rows += [[SHOWN[f], str(len(took[f])), f"{middle[f] * 1e3:.1f}", f"{ratio[f]:.2f}"] for f in FORMS]
    print(f"{options.points:,} points through the router, call to decoded arrays; {machine()}\n{table(rows)}")
    print(f"typed columns take {ratio['typed']:.2f} times a plain byte string; aim: at most {AIM}")
    return int(ratio["typed"] > AIM)


if __name__ == "__main__":
    sys.exit(main())
