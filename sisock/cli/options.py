"""Options of commands, made of the settings that they set."""

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import click

from sisock.settings import Settings, read

_SETTING = re.compile(r"    (\w+): \w+ = .+?  # (.+)")
CLIENT = ("state", "router", "router_ca", "deadline")


class Described(NamedTuple):
    """A setting: its name, default and comment."""

    name: str
    default: Any
    comment: str


@functools.cache
def described() -> dict[str, Described]:
    """Every setting with the comment that stands beside it in the source."""
    matches = map(_SETTING.fullmatch, inspect.getsource(Settings).splitlines())
    comments: dict[str, str] = {match[1]: match[2] for match in matches if match}
    return {each.name: Described(each.name, each.default, comments.get(each.name, "")) for each in fields(Settings)}


def with_settings(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command an option for each of these settings, and the Settings as its first argument."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def with_them(**options: Any) -> Any:
            given = {name: options.pop(name) for name in names}
            return function(read(**given), **options)

        command: Callable[..., Any] = with_them
        for name in reversed(names):
            command = _option(described()[name])(command)
        return command

    return decorate


def _option(setting: Described) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    kind = type(setting.default)
    return click.option(
        f"--{setting.name.replace('_', '-')}",
        setting.name,
        type=click.Path(path_type=Path) if issubclass(kind, Path) else kind,
        metavar={int: "N", float: "SECONDS"}.get(kind, "DIR" if setting.name == "state" else "TEXT"),
        help=f"{setting.comment}  [SISOCK_{setting.name.upper()}]",
    )
