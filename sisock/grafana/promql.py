"""Queries in PromQL as panels have them, on the names that the bridge's Prometheus door gives to fields.

Every field that is a number or a boolean is there as `sisock{node="…",field="…"}`, whatever characters its name has.
"""

import re
from collections.abc import Sequence
from typing import Any

Target = dict[str, Any]
_DOUBLED = re.compile(r"\[(?=\[)")  # what `[[variable]]` begins with
_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")  # what RE2 does not take as itself


def reference(number: int) -> str:
    """The letters by which a panel knows its queries: A to Z, then AA, AB and so on."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def selector(node: str, fields: Sequence[str]) -> str:
    """The generic metric for these fields of a node, whatever characters their names have."""
    if len(fields) == 1:
        return f"sisock{{node={quoted(node)},field={quoted(fields[0])}}}"
    pattern = "|".join(_SPECIAL.sub(r"\\\1", field) for field in fields)
    return f"sisock{{node={quoted(node)},field=~{quoted(pattern)}}}"


def quoted(text: str) -> str:
    """The text as PromQL has it, without `$` and `[[`, in place of which Grafana would put values of its own.

    Source: the escapes by code of https://prometheus.io/docs/prometheus/latest/querying/basics/#string-literals
    """
    escaped = text.replace("\\", r"\\").replace('"', r"\"").replace("$", r"\x24")
    return '"{}"'.format(_DOUBLED.sub(r"\\x5b", escaped))


def prometheus(expression: str, legend: str, number: int = 0, *, instant: bool = False, table: bool = False) -> Target:
    """A query in PromQL as a panel has it."""
    return {
        "refId": reference(number),
        "expr": expression,
        "legendFormat": legend,
        "editorMode": "code",
        "instant": instant,
        "range": not instant,
        "format": "table" if table else "time_series",
    }
