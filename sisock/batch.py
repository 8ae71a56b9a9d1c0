"""What a reader gets of a journal at a time: frames, and where to go on; and how that travels."""

from typing import Any, NamedTuple

from sisock import wire
from sisock.frames import Frame
from sisock.sizes import frame_size

_AROUND = 512  # bytes of a batch without frames


class Batch(NamedTuple):
    """Frames of a journal in the order of each stream, and the cursor to go on from: (epoch, position).

    A position counts the samples of all streams. `dropped` are those between the position asked for and the next one
    that had to go before they were read.
    """

    epoch: str
    frames: tuple[Frame, ...]
    streams: tuple[str, ...]  # of each frame the stream it is of: a node's own are its timelines
    position: int  # the next one to ask for
    first: int  # the oldest one from which there still is everything
    dropped: int
    more: bool  # there is more already

    @property
    def samples(self) -> int:
        """Number of samples in all frames."""
        return sum(map(len, self.frames))


def encode(batch: Batch) -> dict[str, Any]:
    """A node's own journal as `read_from` answers it (docs/protocol.md)."""
    return {
        "v": wire.VERSION,
        "epoch": batch.epoch,
        "frames": [wire.encode_frame(frame) for frame in batch.frames],
        "position": batch.position,
        "first": batch.first,
        "dropped": batch.dropped,
        "more": batch.more,
    }


def size(batch: Batch) -> int:
    """Bytes that it takes on the wire at the most."""
    return _AROUND + sum(map(frame_size, batch.frames))


def decode(coded: Any) -> Batch:
    """The batch of what `encode` made; raises WireError for anything else."""
    try:
        frames = tuple(wire.decode_frame(frame) for frame in coded["frames"])
        streams = tuple(frame.timeline for frame in frames)
        position, first, dropped = (int(coded[key]) for key in ("position", "first", "dropped"))
        return Batch(str(coded["epoch"]), frames, streams, position, first, dropped, bool(coded["more"]))
    except wire.WireError:
        raise
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        raise wire.WireError(f"this is not a batch of a journal as docs/protocol.md says: {error!r:.200}") from error
