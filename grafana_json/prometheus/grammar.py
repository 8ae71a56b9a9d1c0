"""The grammar of PromQL, read by `promql-parser`, which is asked for nothing that could hurt it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import promql_parser

from grafana_json.prometheus.trouble import QueryError
from grafana_json.query import shown

LONGEST = 50_000  # characters of a query
MOST_TOKENS = 1_000  # words and signs of a query: very long sums overflow the parser's stack
DEEPEST = 60  # brackets within brackets
_TEXTS = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|`[^`]*`|#[^\n]*', re.DOTALL)
_TOKENS = re.compile(r"[\w:.]+|[^\s\w]")
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse(text: str) -> Any:
    """The expression that the text is; raises QueryError."""
    _check_size(text)
    try:
        return promql_parser.parse(text)
    except ValueError as error:
        raise QueryError(f"{shown(text)} is not PromQL: {error!s:.300}") from None


def _check_size(text: str) -> None:
    if len(text) > LONGEST:
        raise QueryError(f"the query is longer than {LONGEST} characters: ask for less at a time")
    plain = _TEXTS.sub('""', text)
    depth = deepest = 0
    for sign in plain:
        depth += (sign in "([{") - (sign in ")]}")
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        raise QueryError(f"the query has more than {DEEPEST} brackets within brackets: make it simpler")
    if len(_TOKENS.findall(plain)) > MOST_TOKENS:
        raise QueryError(f"the query has more than {MOST_TOKENS} words and signs: ask for less at a time")


def length(expression: Any, name: str) -> int:
    """A duration of the expression (`range`, `offset`, `step`) in ms, 0 where it has none; raises QueryError."""
    try:
        return _milliseconds(getattr(expression, name))
    except (ValueError, OverflowError):
        raise QueryError("the query has a duration that is too long: use a shorter one") from None


def moment(modifier: Any) -> int:
    """The instant of an `@` in ms since 1970; raises QueryError."""
    try:
        return int((modifier.at - _EPOCH) // _MILLISECOND)
    except (ValueError, OverflowError):
        raise QueryError("the query has a time after @ that is too far away: use seconds since 1970") from None


def _milliseconds(length: timedelta | None) -> int:
    return 0 if length is None else length // _MILLISECOND


def duration(text: str) -> int:
    """A duration as Prometheus writes it (`1h30m`), in ms; raises ValueError."""
    try:
        return _milliseconds(promql_parser.parse_duration(text))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{shown(text)} is not a duration") from error
