"""A process that lets samples of an archive go until it is killed: `python -m tests.retaining FOLDER RAW NOW`."""

import signal
import sys
from pathlib import Path

from sisock.store.archive import Archive
from sisock.store.retention import Keep


def main():
    folder, raw, now = sys.argv[1:]
    with Archive(Path(folder)) as archive:
        print("open", flush=True)
        while archive.retain(Keep({"*": {"raw": raw}}), int(now))[1]:
            pass
        signal.pause()  # to be killed


if __name__ == "__main__":
    main()
