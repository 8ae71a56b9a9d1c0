"""Texts of others as terminals and logs may have them: nothing in them moves a cursor or clears a screen."""

import json
from typing import Any


def printable(text: str, keep: str = "") -> str:
    """The text with whatever cannot be printed as Python writes it, but for what is to be kept."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in keep else ascii(letter)[1:-1] for letter in text)


def to_json(value: Any, indent: int | None = None) -> str:
    """The value as JSON, letters as they are; whatever cannot be printed is escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(letter if letter.isprintable() or letter == "\n" else json.dumps(letter)[1:-1] for letter in text)
