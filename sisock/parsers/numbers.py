"""Lines of nothing but numbers: `20.5` is the field `value`, of several each is `value 1`, `value 2` and so on."""

import re

from sisock.parsers.rows import Parsed, Refused, Row, value_in

_BETWEEN = re.compile(r"[\s,;]+")


def parse(text: str) -> Parsed:
    """A row for each line."""
    parsed = Parsed([], [])
    for line in filter(str.strip, text.splitlines()):
        values = [value_in(each) for each in _BETWEEN.split(line.strip().strip(",;"))]
        if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
            parsed.refused.append(Refused("it is not numbers alone", line))
        elif len(values) == 1:
            parsed.rows.append(Row({"value": values[0]}, line))
        else:
            parsed.rows.append(Row({f"value {at}": value for at, value in enumerate(values, 1)}, line))
    return parsed
