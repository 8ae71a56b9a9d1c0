"""Archived measurements from text files."""

import time
from collections.abc import Callable
from pathlib import Path

from data_nodes.weather.archive import Archive
from sisock.frames import Column, Field, Times
from sisock.nodes import ArchivedNode

EXAMPLE = Path(__file__).parent / "archive"


class Weather(ArchivedNode):
    """Archived weather: every .dat and .csv file of a folder."""

    name = "weather"

    def __init__(
        self,
        *,
        folder: str | Path = EXAMPLE,
        most_bytes: int = 2**30,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Serve the files below the folder, of `most_bytes` together at the most, since their samples stay in memory."""
        if not Path(folder).is_dir():
            raise ValueError(
                f"there is no folder {str(folder)!r}: set the weather node's folder to the one with the archive"
            )
        self._archive = Archive(Path(folder), most_bytes, clock=clock)

    @property
    def fields(self) -> dict[str, Field]:
        """What the files have now."""
        return self._archive.fields()

    def read(self, field: str, start: int, end: int) -> tuple[Times, Column]:
        """The field's samples between two times."""
        frame = self._archive.samples(field).only([field]).between(start, end)
        return frame.t, frame.columns[field]
