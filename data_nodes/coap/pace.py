"""How fast senders may be: a bucket of tokens for each address, of which the most recent are remembered."""

from collections import OrderedDict

from sisock import interfaces

_MOST = 10_000  # addresses that are remembered
_BURST = 2.0  # seconds of the rate that may come at once


class Pace:
    """Limits each sender to a rate."""

    def __init__(self, rate: float) -> None:
        """Allow so many a second; 0: any number."""
        self._rate = rate
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, address: str, now: float) -> bool:
        """Whether one more of this address is within the rate, at a time in s."""
        if not self._rate:
            return True
        sender = interfaces.sender(address)
        most = max(1.0, self._rate * _BURST)
        left, then = self._buckets.pop(sender, (most, now))
        left = min(most, left + (now - then) * self._rate)
        allowed = left >= 1
        self._buckets[sender] = (left - 1 if allowed else left, now)
        if len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
        return allowed
