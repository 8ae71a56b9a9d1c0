"""The grammar of PromQL, read by `promql-parser`, which is asked for nothing that could hurt it."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import promql_parser

from grafana_json.prometheus import regexes
from grafana_json.prometheus.regexes import Pattern, PatternError
from grafana_json.prometheus.trouble import QueryError
from grafana_json.query import shown

LONGEST = 50_000  # characters of a query
MOST_TOKENS = 1_000  # words and signs of a query: very long sums overflow the parser's stack
MOST_PATTERNS = 20  # regular expressions in selectors of a request
DEEPEST = 60  # brackets within brackets
_MOST_INSTRUCTIONS = 100_000  # of all of these compiled: a tenth of a second
_TEXT = r'"(?:[^"\\\n]|\\.)*"' + r"|'(?:[^'\\\n]|\\.)*'|`[^`]*`"
_TEXTS = re.compile(rf"{_TEXT}|#[^\n]*", re.DOTALL)
_COMMENTS = re.compile(rf"({_TEXT})|#[^\n]*", re.DOTALL)
_PATTERNS = re.compile(rf"[=!]~\s*({_TEXT})|{_TEXT}", re.DOTALL)
_TOKENS = re.compile(r"[\w:.]+|[^\s\w]")
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse(text: str) -> Any:
    """The expression that the text is; raises QueryError."""
    return parse_all([text])[0]


def parse_all(texts: Sequence[str]) -> list[Any]:
    """The expressions that the texts of one request are; raises QueryError."""
    for text in texts:
        _check_size(text)
    _check_patterns(texts)
    return [_parse(text) for text in texts]


def _parse(text: str) -> Any:
    try:
        return promql_parser.parse(text)
    except ValueError as error:
        raise QueryError(f"{shown(text)} is not PromQL: {error!s:.300}") from None


def _check_patterns(texts: Sequence[str]) -> None:
    """Refuse what would cost the parser much: it compiles all regular expressions, and nobody else's turn comes meanwhile."""
    patterns = [found for text in texts for found in _patterns(text)]
    if len(patterns) > MOST_PATTERNS:
        raise QueryError(f"there are more than {MOST_PATTERNS} regular expressions: use = or one with | in it")
    if sum(map(len, patterns)) > regexes.LONGEST:
        raise QueryError(f"the regular expressions are longer than {regexes.LONGEST} characters: use shorter ones")
    size = 0
    for pattern in patterns:
        try:
            size += Pattern(_parse(pattern).val).size
        except PatternError as error:
            raise QueryError(f"the regular expression {shown(pattern)} cannot be read: {error}") from None
        if size > _MOST_INSTRUCTIONS:
            raise QueryError("the regular expressions are too large: repeat or name fewer characters")


def _patterns(text: str) -> list[str]:
    """The regular expressions in the text, in their quotation marks."""
    return [found[1] for found in _PATTERNS.finditer(_COMMENTS.sub(lambda found: found[1] or " ", text)) if found[1]]


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
