"""The machine this runs on, by psutil."""

import logging
import time
from collections.abc import Callable
from typing import Any

from data_nodes.host.quantities import GROUPS, Quantity
from data_nodes.host.rates import Rates
from data_nodes.names import as_field
from sisock import extras
from sisock.frames import Field
from sisock.nodes import LiveNode, NoData

try:
    import psutil
except ImportError as error:
    raise ImportError(f"the node 'host' needs psutil: {extras.command('host')}") from error

log = logging.getLogger(__name__)


class Host(LiveNode):
    """Processors, memory, disks, network and temperatures of the machine this runs on."""

    name = "host"

    def __init__(
        self, *, interval: float = 1.0, machine: Any = psutil, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Look every `interval` seconds, through psutil or a `machine` that looks like it."""
        self.interval = interval
        self._machine = machine
        self._clock = clock
        self._fields: dict[str, Field] = {}
        self._rates = Rates()
        self._closed: dict[str, str] = {}  # group -> why it cannot be read
        self._quantities()  # so that the fields are known from the start

    @property
    def fields(self) -> dict[str, Field]:
        """What was met so far."""
        return self._fields

    def sample(self) -> dict[str, float]:
        """All quantities once; rates from the second time on."""
        found = self._quantities()
        if not found:
            raise NoData(f"nothing of this machine may be read: {'; '.join(self._closed.values())}")
        levels = {as_field(each.field): each.value for each in found if not each.counter}
        rates = self._rates.update({as_field(each.field): each.value for each in found if each.counter}, self._clock())
        return levels | {
            name: min(rate, 100.0) if self._fields[name].units == "%" else rate for name, rate in rates.items()
        }

    def _quantities(self) -> list[Quantity]:
        """What can be read; a group that cannot is told of once."""
        found: list[Quantity] = []
        for group in GROUPS:
            try:
                found += group(self._machine)
                self._closed.pop(group.__name__, None)
            except (OSError, RuntimeError, AttributeError) as error:  # no permission, no such thing on this system
                if group.__name__ not in self._closed:
                    log.warning("%s: %s cannot be read: %s", self.name, group.__name__, error)
                self._closed[group.__name__] = f"{group.__name__}: {error}"
        for each in found:
            self._fields.setdefault(as_field(each.field), Field(each.description, units=each.units))
        return found
