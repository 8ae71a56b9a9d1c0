"""Samples into sisock from other worlds, and out of it: a part for each of these worlds, against its aim.

`python -m benchmarks.streams kafka [options of the part]`; exit code 1 if an aim is missed. A part is a module
`benchmarks/streams_<part>.py` with `options(parser)` and `figures(given)`.
"""

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks.common import machine, table


def parts() -> list[str]:
    """The parts that there are."""
    return sorted(path.stem.removeprefix("streams_") for path in Path(__file__).parent.glob("streams_*.py"))


def main() -> int:
    """Run one part and print its figures; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="part", required=True)
    modules = {name: importlib.import_module(f"benchmarks.streams_{name}") for name in parts()}
    for name, module in modules.items():
        module.options(commands.add_parser(name, description=(module.__doc__ or "").partition("\n")[0]))
    given = parser.parse_args()
    figures = modules[given.part].figures(given)
    print(f"{given.part}; {machine()}")
    print(table([["figure", "measured", "aim", ""], *(figure.row() for figure in figures)]))
    return int(not all(figure.met for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
