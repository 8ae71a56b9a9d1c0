"""What is to be known beside rows, short enough for headers: label, units and notices, as JSON in ASCII."""

import json
from collections.abc import Mapping
from typing import Any

_LONGEST = 1000  # bytes of one: proxies take a few thousand of all
NAMES = ("Sisock-Label", "Sisock-Units", "Sisock-Notices")


def headers(about: Mapping[str, Any]) -> dict[str, str]:
    """The headers; what is too long for one is left out at its end, and counted under `…`."""
    series, notices = about.get("series", []), [notice["text"] for notice in about.get("notices", [])]
    units = {each["target"]: each["unit"] for each in series if each["unit"]}
    found = {"Sisock-Label": _dumped(_label(series))} if series else {}
    if units:
        found["Sisock-Units"] = _short_object(units)
    if notices:
        found["Sisock-Notices"] = _short_list(notices)
    return found


def _label(series: list[dict[str, Any]]) -> dict[str, Any]:
    """One label of all: methods, samples, the widest bin and the number of gaps, and before when nothing changes."""
    bins = [each["bin"] for each in series if each["bin"] is not None]
    untils = [each["finalized_until"] for each in series]
    return {
        "method": ", ".join(dict.fromkeys(each["method"] for each in series)),
        "samples": sum(each["samples"] for each in series),
        **({"bin": max(bins)} if bins else {}),
        "gaps": sum(len(each["gaps"]) for each in series),
        "finalized_until": None if None in untils else min(untils),
    }


def _short_object(units: dict[str, str]) -> str:
    kept = dict(units)
    while len(text := _dumped(kept)) > _LONGEST:
        kept.pop("…", None)
        kept.popitem()
        kept["…"] = f"{len(units) - len(kept)} more"
    return text


def _short_list(notices: list[str]) -> str:
    kept = [f"{notice:.300}" for notice in notices]
    while len(text := _dumped(kept)) > _LONGEST and len(kept) > 1:
        count = len(kept) - (kept[-1].endswith(" more …"))
        kept = [*kept[: count - 1], f"{len(notices) - count + 1} more …"]
    return text if len(text) <= _LONGEST else _dumped([f"{kept[0]:.100}"])


def _dumped(what: Any) -> str:
    """JSON in printable ASCII: what a header can hold."""
    return json.dumps(what).replace("\x7f", "\\u007f")
