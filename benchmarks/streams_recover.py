"""How fast `sisock recover` reads the log of a dead logger, and whether it recovers exactly what was written there.

The log is as a Monitor Actuator's: `2026-01-01 00:00:00,123 - [INFO] - data: …`, among it lines without data, garbage
bytes, runs of zeros, lines that the next one begins within, and a last line that is torn. Peer in the same run: a
bare loop in Python that takes each line apart and keeps nothing.

`python -m benchmarks.streams_recover [--megabytes 100]`; exit code 1 where a line more or less is recovered.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from benchmarks.common import ROOT, machine, table

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
BARE = """
import datetime, json, sys
for line in open(sys.argv[1], errors="replace"):
    try:
        head, _, data = line.partition(" - [INFO] - data: ")
        datetime.datetime.fromisoformat(head.replace(",", ".")), json.loads(data)
    except ValueError:
        pass
"""
_NOISE = ("- [WARNING] - retry in 5 s", "- [ERROR] - SSLError(CERTIFICATE_VERIFY_FAILED)")


class Made(NamedTuple):
    """A log: its size in bytes, the lines that can be recovered, and those that cannot."""

    size: int
    sound: int
    bad: int


def write(path: Path, size: int, seed: int = 1) -> Made:
    """Write a log of about so many bytes."""
    sound = bad = written = 0
    with path.open("wb") as file:
        for line, good, wrong in _lines(random.Random(seed)):
            written += file.write(line)
            sound, bad = sound + good, bad + wrong
            if written >= size:
                written += file.write(b'2027-01-01 00:00:00,000 - [INFO] - data: {"temperature": 20.')
                return Made(written, sound, bad + 1)
    raise AssertionError  # the lines never end


def _lines(chance: random.Random) -> Iterator[tuple[bytes, int, int]]:
    """Pieces of a log without end, the rows in each, and the unreadable lines."""
    at = BEGIN
    while True:
        at += timedelta(milliseconds=chance.randint(1, 20))
        stamp = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03}"
        values = {"temperature": round(chance.gauss(-20, 1), 3), "humidity": chance.randint(20, 60)}
        line = f"{stamp} - [INFO] - data: {json.dumps(values)}\n".encode()
        kind = chance.random()
        if kind < 0.002:
            yield bytes(chance.choices(range(1, 256), k=60)).replace(b"\n", b"?") + b"\n", 0, 1
        elif kind < 0.003:
            yield b"\0" * 4096 + line, 1, 1
        elif kind < 0.004:
            yield line[: chance.randint(1, len(line) - 1)] + line, 1, 1
        elif kind < 0.02:
            yield f"{stamp} {chance.choice(_NOISE)}\n".encode(), 0, 0
        else:
            yield line, 1, 0


def measured(folder: Path, size: int) -> tuple[Made, list[tuple[str, float, str]]]:
    """The log, and seconds and last words of: recovering it, doing so again, and the bare loop."""
    log = folder / "temperature.log"
    made = write(log, size)
    recover = [
        sys.executable,
        "-m",
        "sisock",
        "recover",
        str(log),
        "--node",
        "freezer",
        "--state",
        str(folder / "state"),
    ]
    commands = {"recover": recover, "once more": recover, "bare loop": [sys.executable, "-c", BARE, str(log)]}
    return made, [(what, *_timed(argv)) for what, argv in commands.items()]


def _timed(argv: list[str]) -> tuple[float, str]:
    began = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, text=True, timeout=3600, check=True, cwd=ROOT)
    return time.perf_counter() - began, done.stdout


def main() -> int:
    """Print the figures; 1 where the counts are not those of what was written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=100)
    with tempfile.TemporaryDirectory() as folder:
        made, runs = measured(Path(folder), round(parser.parse_args().megabytes * 1e6))
    print(machine())
    print(f"{made.size / 1e6:.0f} MB, {made.sound:,} lines with values, {made.bad:,} unreadable")
    rows = [["", "s", "MB/s", "to the loop"]]
    rows += [[what, f"{s:.1f}", f"{made.size / 1e6 / s:.1f}", f"{s / runs[-1][1]:.1f} ×"] for what, s, _ in runs]
    print(table(rows))
    wanted = [f"{made.sound:,} samples recovered, 0 already there, {made.bad:,} unreadable"]
    wanted.append(f"0 samples recovered, {made.sound:,} already there, {made.bad:,} unreadable")
    exact = [line in said for line, (_, _, said) in zip(wanted, runs, strict=False)]
    print("recovered exactly what was written, and once" if all(exact) else f"MISSED: {[said for _, _, said in runs]}")
    return int(not all(exact))


if __name__ == "__main__":
    sys.exit(main())
