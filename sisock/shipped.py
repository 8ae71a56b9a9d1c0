"""Where the files lie that sisock ships beside its code, in a checkout and installed."""

from pathlib import Path
from typing import Literal

_HERE = Path(__file__).parent
_CHECKOUT = {"config.json": ".crossbar/config.json", "page": "js/dist"}


def path(name: Literal["config.json", "page"]) -> Path:
    """Path of the router's configuration template, or of the folder of the built page.

    Raises FileNotFoundError with the cure: only a checkout can lack the page.
    """
    places = (_HERE / "_shipped" / name, _HERE.parent / _CHECKOUT[name])
    for place in places:
        if place.exists():
            return place
    raise FileNotFoundError(f"{name} is not at {places[-1]}: in a checkout build the page with `python js/build.py`")
