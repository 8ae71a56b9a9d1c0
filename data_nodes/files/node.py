"""A folder of files that others write, as it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sisock import extras, settings
from sisock.frames import Field
from sisock.nodes import DataNode
from sisock.nodes.base import RING, Opener, Service, description_of, name_of

if TYPE_CHECKING:
    from data_nodes.files.catalog import Catalog

EXAMPLE = Path(__file__).parent / "testcases" / "station" / "input"


class Files(DataNode):
    """A folder of CSV, Parquet, Arrow or HDF5 files, at any zoom; the files are never changed."""

    name = "files"

    def __init__(
        self,
        *,
        folder: str | Path = EXAMPLE,
        pattern: str = "**/*",
        time: str = "",
        units: Mapping[str, str] | None = None,
        pause: float = 5.0,
        index: str | Path = "",
    ) -> None:
        """Serve the files below the folder that fit the pattern.

        `time`: the column that is the time, where it is not found by itself. `units`: of columns, by their names.
        `pause`: seconds between two looks at the folder. `index`: where the node keeps what it knows of the files.
        """
        try:
            import pyarrow  # noqa: F401
        except ModuleNotFoundError as error:
            raise ValueError(f"the node files needs pyarrow: {extras.command('archive')}") from error
        if not Path(folder).expanduser().is_dir():
            raise ValueError(
                f"there is no folder {str(folder)!r}: set the folder of the node to the one with the files"
            )
        self._folder, self._pattern, self._time, self._units = (
            Path(folder).expanduser(),
            pattern,
            time,
            dict(units or {}),
        )
        self._pause, self._index = pause, index

    @property
    def fields(self) -> dict[str, Field]:
        """What the node has beside its files."""
        from data_nodes.files.service import FIELDS

        return FIELDS

    def catalog(self) -> "Catalog":
        """The index of the folder, opened. Raises ValueError where a newer sisock made it, OSError or sqlite3.Error."""
        from data_nodes.files.catalog import Catalog
        from data_nodes.files.service import TAKEN

        home = (
            Path(self._index).expanduser()
            if self._index
            else (self.home or settings.read().state) / "files" / name_of(self)
        )
        return Catalog(self._folder, home, time=self._time, units=self._units, taken=TAKEN)

    def service(self, *, ring: int = RING, journal: Opener | None = None) -> Service:
        """This node at work."""
        from data_nodes.files.service import FilesService

        return FilesService(
            name_of(self), description_of(self), self.catalog, pattern=self._pattern, pause=self._pause, ring=ring
        )
