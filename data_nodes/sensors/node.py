"""Temperatures, fans, voltages and currents of the machine, by lm-sensors."""

from data_nodes.names import as_field
from data_nodes.sensors.parser import readings
from sisock.frames import Field
from sisock.nodes import CommandNode, NoData


class Sensors(CommandNode):
    """Temperatures, fans, voltages, currents and power of this machine, by lm-sensors."""

    name = "sensors"
    argv = ("sensors", "-j")
    exits = (0, 1)  # 1: there is no chip
    cure = "apt-get install lm-sensors"

    def __init__(self, *, interval: float = 5.0) -> None:
        """Ask the chips every `interval` seconds."""
        self.interval = interval
        self._fields: dict[str, Field] = {}

    @property
    def fields(self) -> dict[str, Field]:
        """The features of the chips as they were met."""
        return self._fields

    def parse(self, output: str) -> dict[str, float | None]:
        """The value of each feature that measures something."""
        found = readings(output)
        if not found:
            raise NoData("lm-sensors found no chip on this machine: sensors-detect looks for drivers to load")
        values = {as_field(f"{each.chip}/{each.feature}"): each for each in found}
        for field, each in values.items():
            self._fields.setdefault(field, Field(f"{each.feature} of {each.chip}", units=each.units))
        return {field: each.value for field, each in values.items()}
