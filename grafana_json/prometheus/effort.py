"""What evaluating one request may cost: values that are looked at, weighed by what is done with them."""

from collections.abc import Callable
from typing import Any, TypeVar

from grafana_json.prometheus.functions import CALENDAR
from grafana_json.prometheus.trouble import cannot
from grafana_json.prometheus.vectors import Vector

MOST_WORK = 200_000_000  # for one request: some seconds
OF_A_SERIES = 100  # its labels, whatever its values
COSTLY = {  # for each value, where that is more than 1
    "topk": 20,
    "bottomk": 20,
    "quantile": 20,
    "count_values": 10,
    "round": 3,
    **dict.fromkeys(CALENDAR, 10),
}
_Made = TypeVar("_Made")


class Effort:
    """What one request may still compute, and whether it still has time."""

    def __init__(self, left: Callable[[], Any] = lambda: None) -> None:
        """Everything; `left` raises QueryError once there is no time left."""
        self._left = MOST_WORK
        self._see_time = left

    def spend(self, work: int) -> None:
        """Take so much of it, before that is done; raises QueryError where it is too much, or there is no time."""
        self._left -= work
        if self._left < 0:
            raise cannot("the query takes too much computing: use a longer step, fewer series or fewer functions")
        self._see_time()

    def in_time(self, make: Callable[..., _Made], *of: Any) -> _Made:
        """What is made of these, if there is still time; raises QueryError otherwise."""
        self._see_time()
        return make(*of)

    def look_at(self, value: Any, weight: int = 1) -> None:
        """As `spend`, for something that is done with each value of a vector; other values cost nothing worth counting."""
        if isinstance(value, Vector):
            self.spend(len(value.labels) * OF_A_SERIES + value.values.size * weight)
