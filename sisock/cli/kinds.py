"""The format of a file, by its name."""

from collections.abc import Collection
from pathlib import Path

import click

_NAMED = {
    ".txt": "table",
    ".csv": "csv",
    ".json": "json",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
}


def kind_of(output: Path, given: str | None, written: Collection[str]) -> str:
    """The format that is given, else the one that the file's name says, among those that are written.

    Raises UsageError where nothing says it, or both say different ones.
    """
    named = _NAMED.get(output.suffix.lower())
    if given:
        if named not in (None, given):
            raise click.UsageError(f"{output} has a name of {named}, and --format says {given}: leave out one")
        return given
    if named in written:
        return str(named)
    ends = ", ".join(end for end, kind in _NAMED.items() if kind in written)
    what = (
        f"has a name of {named}, which is not written here" if named else "does not say by its name what format it has"
    )
    raise click.UsageError(f"{output} {what}: end it in {ends}, or give --format")
