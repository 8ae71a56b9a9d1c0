"""What `sensors -j` prints, as readings: also where it is not JSON.

sensors(1) of lm-sensors 3.6 prints invalid JSON for a chip whose features are all ignored (a comma too many), one
object after the other where several chips are asked for, `nan`, equal keys where two features have one label, and,
where its complaints are joined to its output, `ERROR:` lines. So tokens are read here, not a document.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

_UNITS = {
    "temp": "°C",
    "fan": "RPM",
    "in": "V",
    "curr": "A",
    "power": "W",
    "energy": "J",
    "humidity": "%",
    "cpu": "V",
}
_TOKEN = re.compile(r'"((?:[^"\\\n]|\\.)*)"\s*:\s*(\{|"(?:[^"\\\n]|\\.)*"|[-+.\w]+)|\}')
_MEASURED = re.compile(r"([a-z]+)\d+_(input|average|vid)")
_UNNAMED = re.compile(r"([a-z]+)\d+")


class Reading(NamedTuple):
    """One measured value: where it comes from, what it is in, and None or NaN where the chip gives none."""

    chip: str
    feature: str
    units: str
    value: float | None


def readings(output: str) -> list[Reading]:
    """The measured values in the order of the output; limits and alarms are left out."""
    found = list(_features(output))
    labels = Counter((chip, label) for chip, label, _ in found)
    result = []
    for chip, label, subfeatures in found:
        name, kind, value = _measured(label, subfeatures)
        if kind in _UNITS:
            several = labels[chip, label] > 1 and name
            result.append(Reading(chip, f"{label} ({name})" if several else label, _UNITS[kind], value))
    return result


def _features(output: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Chip, label and subfeatures of every feature."""
    path: list[str] = []
    subfeatures: dict[str, str] = {}
    for token in _TOKEN.finditer(output):
        key, value = token.groups()
        if value == "{":
            path.append(key)
            subfeatures = {}
        elif value is not None:
            subfeatures[key] = value
        elif path:
            if len(path) == 2:
                yield path[0], path[1], subfeatures
            path.pop()


def _measured(label: str, subfeatures: dict[str, str]) -> tuple[str, str, float | None]:
    """Name, kind and value of what the feature measures; a feature without a value is known by its label."""
    for subfeature, text in subfeatures.items():
        match = _MEASURED.fullmatch(subfeature)
        if match:
            return subfeature.rsplit("_", 1)[0], match[1], _number(text)
    match = _UNNAMED.fullmatch(label)
    return label, match[1] if match else "", None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
