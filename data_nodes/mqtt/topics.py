"""Topics as patterns: `home/{device}/{field}` is what is subscribed to, and what the parts of a topic are called."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

FORMS = ("auto", "json", "cbor", "lines", "senml", "text")
_PART = re.compile(r"\{([a-z]+)\}")


class Rule(NamedTuple):
    """A pattern of topics, and what their payloads are."""

    levels: tuple[str, ...]
    form: str

    @property
    def subscription(self) -> str:
        """The pattern as brokers know it."""
        return "/".join("+" if _PART.fullmatch(level) else level for level in self.levels)

    def name(self, topic: str) -> str | None:
        """What a topic is called: its named parts, or all of it where none is named; None where it does not fit."""
        levels, named = topic.split("/"), list[str]()
        rest = self.levels[-1] == "#"
        fixed = self.levels[:-1] if rest else self.levels
        if len(levels) < len(fixed) or (len(levels) > len(fixed) and not rest):
            return None
        for level, is_ in zip(fixed, levels, strict=False):
            if _PART.fullmatch(level):
                named.append(is_)
            elif level not in ("+", is_):
                return None
        if rest and named:
            named += levels[len(fixed) :]
        return "/".join(each for each in named or levels if each) or topic


def rules(given: Sequence[str | Mapping[str, Any]]) -> list[Rule]:
    """The rules of a configuration. Raises ValueError with the cure."""
    return [_rule(each if isinstance(each, Mapping) else {"topic": each}) for each in given]


def _rule(table: Mapping[str, Any]) -> Rule:
    topic, form = table.get("topic", ""), table.get("form", "auto")
    if not isinstance(topic, str) or not topic or set(table) - {"topic", "form"}:
        raise ValueError(
            f'{dict(table)!r:.100} is no rule: write "home/{{device}}/{{field}}", or {{ topic = "…", form = "json" }}'
        )
    if form not in FORMS:
        raise ValueError(f"form = {form!r:.40} is unknown: give one of {', '.join(FORMS)}")
    levels = tuple(topic.split("/"))
    for number, level in enumerate(levels):
        odd = set(level) & set("+#{}\0") and not _PART.fullmatch(level) and level not in ("+", "#")
        if odd or (level == "#" and number < len(levels) - 1):
            raise ValueError(f"{topic!r:.80} is no pattern: a level is a text, + or {{name}}, and # comes last")
    return Rule(levels, form)
