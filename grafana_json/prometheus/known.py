"""What is remembered from one request to the next, apart for all who see something else of the fleet."""

import threading
from weakref import WeakKeyDictionary

from grafana_json.directory import Directory
from grafana_json.prometheus.intervals import Intervals
from grafana_json.prometheus.matching import Catalog


class Memory:
    """What is remembered for those who see the same."""

    def __init__(self) -> None:
        """Nothing at first."""
        self.intervals = Intervals()
        self._catalog: Catalog | None = None
        self._turn = threading.Lock()

    def catalog(self, directory: Directory) -> Catalog:
        """All series there are now. Raises ConsumerError without a hub."""
        fields = directory.known()
        with self._turn:
            self._catalog = Catalog(directory.nodes(), fields, self._catalog)
            return self._catalog


class Memories:
    """A memory for each directory, for as long as that is used."""

    def __init__(self) -> None:
        """None at first."""
        self._of: WeakKeyDictionary[Directory, Memory] = WeakKeyDictionary()
        self._turn = threading.Lock()

    def of(self, directory: Directory) -> Memory:
        """What is remembered of what this one lists."""
        with self._turn:
            return self._of.setdefault(directory, Memory())
