"""Samples into sisock from other worlds, and out of it: one part for each of these, against its aims.

`python -m benchmarks.streams PART [options of the part]`; a part is the `main()` of `benchmarks/streams_PART.py`.
"""

import importlib
import sys
from pathlib import Path


def parts() -> list[str]:
    """The parts that there are."""
    return sorted(path.stem.removeprefix("streams_") for path in Path(__file__).parent.glob("streams_*.py"))


def main() -> int:
    """Run the part that is named; its exit code."""
    if len(sys.argv) < 2 or sys.argv[1] not in parts():
        print(f"python -m benchmarks.streams PART: there are {', '.join(parts())}", file=sys.stderr)
        return 2
    part = sys.argv.pop(1)
    code: int = importlib.import_module(f"benchmarks.streams_{part}").main()
    return code


if __name__ == "__main__":
    sys.exit(main())
