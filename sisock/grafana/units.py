"""Units as people write them in Grafana's own words, so that panels scale and name them well.

Source: the ids of `@grafana/data`, `valueFormats/categories`. A unit without an id is shown as it is written.
"""

IDS = {
    "%": "percent",
    "°C": "celsius",
    "C": "celsius",
    "degC": "celsius",
    "°F": "fahrenheit",
    "F": "fahrenheit",
    "K": "kelvin",
    "B": "bytes",
    "B/s": "binBps",
    "Hz": "hertz",
    "ns": "ns",
    "us": "µs",
    "µs": "µs",
    "ms": "ms",
    "s": "s",
    "V": "volt",
    "A": "amp",
    "W": "watt",
    "Pa": "pressurepa",
    "hPa": "pressurehpa",
    "mbar": "pressurembar",
    "m/s": "velocityms",
    "km/h": "velocitykmh",
    "mm": "lengthmm",
    "m": "lengthm",
    "rpm": "rotrpm",
    "RPM": "rotrpm",
}


def grafana_unit(units: str | None) -> str | None:
    """Grafana's id of a unit, or the unit itself where there is none."""
    return None if not units else IDS.get(units, units)
