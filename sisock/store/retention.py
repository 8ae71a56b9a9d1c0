"""How long an archive keeps what of which node. Without being told to it lets nothing go."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from sisock.times import NS, parse_duration

_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|TB)")
_KNOWN = ("raw", "bins", "quota")
_CURE = 'write for instance keep = {"*" = {raw = "2y", quota = "20GB"}}'


class Retention(NamedTuple):
    """Of one node: ages in ns from which samples and bins may go, and bytes that it may take; None: no limit."""

    raw_age: int | None = None
    bins_age: int | None = None
    quota: int | None = None


class Keep:
    """What is kept of each node, by patterns of their names; the last one that matches counts."""

    def __init__(self, rules: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """`rules`: pattern -> `raw` and `bins` as durations, `quota` as a size. Raises ValueError with the cure."""
        if not isinstance(rules or {}, Mapping):
            raise ValueError(f"keep = {rules!r:.80} is no table: {_CURE}")  # one error for settings
        self._rules = {pattern: _retention(pattern, rule) for pattern, rule in (rules or {}).items()}

    def __bool__(self) -> bool:
        """Whether anything may go."""
        return any(any(limit is not None for limit in rule) for rule in self._rules.values())

    def __call__(self, node: str) -> Retention:
        """What counts for this node."""
        found = [rule for pattern, rule in self._rules.items() if fnmatchcase(node, pattern)]
        return found[-1] if found else Retention()


def _retention(pattern: str, rule: Mapping[str, Any]) -> Retention:
    if not isinstance(rule, Mapping) or not all(name in _KNOWN and isinstance(rule[name], str) for name in rule):
        raise ValueError(f"keep of {pattern!r} is {rule!r:.80}, but may have {', '.join(_KNOWN)} as texts: {_CURE}")
    raw, bins = (round(parse_duration(rule[name]) * NS) if name in rule else None for name in ("raw", "bins"))
    if bins is not None and (raw is None or bins < raw):
        raise ValueError(
            f"keep of {pattern!r}: bins are kept at least as long as samples: give raw, no longer than bins"
        )
    return Retention(raw, bins, _size(rule["quota"]) if "quota" in rule else None)


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a size: write a number and one of {', '.join(_UNITS)}, as in 20GB")
    return round(float(match[1]) * _UNITS[match[2]])
