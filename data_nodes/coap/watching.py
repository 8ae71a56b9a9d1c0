"""Who watches what comes from which device, and is told of it: not more often than it can be sent."""

import asyncio
from typing import Any

_MOST = 200  # observations at once
_PAUSE = 0.5  # seconds between two tellings of one: what comes meanwhile is told as one


class Watching:
    """The observations (RFC 7641) of all devices."""

    def __init__(self) -> None:
        """Begin with none."""
        self._devices: dict[Any, str] = {}
        self._told: dict[Any, float] = {}  # when each is, or was, told last, by the loop's clock

    def add(self, observation: Any, device: str) -> bool:
        """Let an observation of aiocoap's hear of a device; False where there are too many."""
        if len(self._devices) >= _MOST:
            return False
        self._devices[observation] = device
        observation.accept(lambda: self._end(observation))
        return True

    def changed(self, device: str) -> None:
        """Tell those who watch this device, now or soon."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for observation, watched in self._devices.items():
            told = self._told.get(observation, now - _PAUSE)
            if watched != device or told > now:  # it will be told
                continue
            self._told[observation] = at = max(now, told + _PAUSE)
            if at > now:
                loop.call_at(at, self._tell, observation)
            else:
                observation.trigger()

    def _tell(self, observation: Any) -> None:
        if observation in self._devices:
            observation.trigger()

    def _end(self, observation: Any) -> None:
        self._devices.pop(observation, None)
        self._told.pop(observation, None)
