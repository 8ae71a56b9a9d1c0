"""A process that keeps numbered samples until it is killed: `python -m tests.keeping FOLDER SEED`.

It goes on where the cursor of before says, and prints each position that was acknowledged.
"""

import sys
from pathlib import Path

import numpy as np

from sisock.frames import Column, Field, Frame
from sisock.store import keeper
from sisock.store.keeper import Cursor, Keeper, Taking

TIMELINES = ("fast", "slow", "texts")
FIELDS = {"fast": Field(timeline="fast"), "whole": Field(timeline="fast"), "slow": Field(timeline="slow"), "word": Field(timeline="texts", type="string")}  # fmt: skip


def frames(first, count):
    """The samples with the numbers `first` … `first + count - 1` on each of three timelines; a value is its number."""
    numbers = np.arange(first, first + count)
    t = 1_700_000_000 * 10**9 + numbers * 10**7
    words = np.array([f"n{each}" for each in numbers.tolist()], np.dtypes.StringDType())
    columns = {
        "fast": {"fast": Column(numbers.astype(float)), "whole": Column(numbers)},
        "slow": {"slow": Column(numbers / 2)},
        "texts": {"word": Column(words)},
    }
    return [Frame(name, t, held, "epoch", first + count) for name, held in columns.items()]


def main():
    folder, rng = Path(sys.argv[1]), np.random.default_rng(int(sys.argv[2]))
    keeper.HEAVY, keeper._LIGHT = 2**18, 2**16  # so that much is written in little time
    with Keeper(folder, flush_age=0.5) as keeping:
        cursor = keeping.cursor("n") or Cursor("epoch", 0)
        print("open", cursor.position, flush=True)
        while True:
            count = int(rng.integers(1, 400))
            back = int(rng.integers(0, 50)) if rng.random() < 0.2 else 0  # some are delivered twice
            first = max(0, cursor.position - back)
            cursor = Cursor("epoch", max(cursor.position, first + count))
            keeping.take([Taking("n", frames(first, count), FIELDS, cursor)])
            print(cursor.position, flush=True)
            keeping.tend()


if __name__ == "__main__":
    main()
