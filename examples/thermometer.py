import math
import time

from sisock import Field, LiveNode


class Thermometer(LiveNode):
    """A made-up thermometer by the window: up and down once a minute."""

    interval = 0.5
    fields = {"temperature": Field("beside the window", units="°C")}

    def sample(self):
        return {"temperature": 20 + 2 * math.sin(time.time() * math.tau / 60)}
