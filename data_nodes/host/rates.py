"""Rates from counters that only grow, until they are set back."""


class Rates:
    """How fast counters grow, from one reading to the next."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, float]] = {}  # name -> when (s), count

    def update(self, counters: dict[str, float], now: float) -> dict[str, float]:
        """Growth per second since the last reading; nothing for a counter that is new or was set back."""
        rates = {}
        for name, count in counters.items():
            when, before = self._last.get(name, (now, count))
            if now > when and count >= before:
                rates[name] = (count - before) / (now - when)
        self._last = {name: (now, count) for name, count in counters.items()}
        return rates
