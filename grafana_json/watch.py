"""Notices a consumer that will never join the router again: whoever started the bridge has to start another."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError

from grafana_json.source import Source
from sisock.errors import ConsumerError, NoHub

log = logging.getLogger(__name__)
_LOOK = 1.0  # seconds between looks


class Watch:
    """Looks after the consumer in a thread of its own until `stop`; `lost` tells whether it had to call `end`."""

    def __init__(self, source: Source, end: Callable[[], None]) -> None:
        """Begin; `end` is called once, from the thread, where the consumer will never join again."""
        self.lost = False
        self._source, self._end = source, end
        self._stopped = threading.Event()
        threading.Thread(target=self._look, name="watch", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def _look(self) -> None:
        while not self._stopped.wait(_LOOK):
            why = "" if self._source.connected else self._trouble()
            if why and not self._source.connected and not self._stopped.is_set():
                log.error("the bridge ends: %s", why)
                self.lost = True
                self._end()
                return

    def _trouble(self) -> str:
        """Why there will be no hub any more; empty where there may be one."""
        try:
            self._source.nodes()
        except NoHub:
            return ""
        except ConsumerError as error:
            return str(error) + (f" ({error.__cause__!r:.300})" if error.__cause__ else "")
        except CancelledError:  # the bridge is being stopped
            return ""
        return ""
