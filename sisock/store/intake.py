"""What has come of a timeline and waits in memory to be written: each sample once, at a time that can be meant."""

from collections.abc import Mapping, Sequence

from sisock.frames import Frame
from sisock.store.identified import Identified, identified, weight
from sisock.times import NS

EARLIEST, LATEST = -2_208_988_800 * NS, 7_258_118_400 * NS  # 1900 and 2200: other times are no measurements


class Intake:
    """Samples that wait. Not safe for threads by itself."""

    def __init__(self, accounts: Mapping[str, int], counts: dict[str, int]) -> None:
        """`accounts`: what has come and is written, one past the last sequence of each epoch; `counts` is kept up."""
        self.waiting: tuple[Identified, ...] = ()
        self.weight = 0  # bytes that wait
        self.counts = counts
        self._beyond = dict(accounts)

    @property
    def accounts(self) -> dict[str, int]:
        """Epochs, in the order in which they came -> one past the last sequence that has come, written or not."""
        return dict(self._beyond)

    def put(self, frame: Frame, raw_from: int = EARLIEST, *, again: bool = False) -> int:
        """Take what is new of a frame; how many samples that is. Imported ones from before `raw_from` are refused.

        `again`: it came before a restart too, and nothing of it is counted.
        """
        counts = {} if again else self.counts
        samples = self._unknown(frame, counts)
        earliest = EARLIEST if frame.epoch is not None else max(EARLIEST, raw_from)  # nobody knows the doubles there
        sound = (samples.frame.t >= earliest) & (samples.frame.t < LATEST)
        if not sound.all():
            _count(counts, "refused", int((~sound).sum()))
            samples = samples.rows(sound)
        if frame.epoch is not None and frame.seq is not None:
            self._beyond[frame.epoch] = max(frame.seq, self._beyond.get(frame.epoch, 0))
        if len(samples.frame):
            self.waiting = (*self.waiting, samples.in_time())
            self.weight += weight(samples)
        return len(samples.frame)

    def _unknown(self, frame: Frame, counts: dict[str, int]) -> Identified:
        """What of a frame has not come before."""
        samples = identified(frame)
        if frame.epoch is None or frame.seq is None:
            return samples
        known = min(max(0, self._beyond.get(frame.epoch, 0) - (frame.seq - len(frame))), len(frame))
        if known:
            _count(counts, "doubles", known)
        return samples.rows(slice(known, None)) if known else samples

    def written(self, parts: int) -> None:
        """Let the first of what waits go: it is written."""
        self._wait(self.waiting[parts:])

    def take_back(self, parts: Sequence[Identified], refused: int) -> None:
        """Let imported parts go, if they still wait, and do not count what was refused with them: all of it comes again."""
        gone = {id(part) for part in parts}
        left = tuple(each for each in self.waiting if id(each) not in gone)
        if parts and len(left) == len(self.waiting):
            return
        self._wait(left)
        if refused:
            _count(self.counts, "refused", -refused)

    def _wait(self, waiting: tuple[Identified, ...]) -> None:
        self.waiting = waiting
        self.weight = sum(map(weight, waiting))


def _count(counts: dict[str, int], what: str, samples: int) -> None:
    counts[what] = counts.get(what, 0) + samples
