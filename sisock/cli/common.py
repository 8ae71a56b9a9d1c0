"""What all commands share: options made of settings, errors as sentences, the exit codes."""

import asyncio
import contextlib
import functools
import inspect
import logging
import re
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import fields
from pathlib import Path
from textwrap import dedent, indent
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import click

from sisock.errors import ConsumerError, NoAnswer, NodeAway, NodeUnknown, NoHub
from sisock.exits import Exit
from sisock.settings import Settings, read
from sisock.uris import split_target

if TYPE_CHECKING:
    from sisock.consumer import Consumer

T = TypeVar("T")

_SETTING = re.compile(r"    (\w+): \w+ = .+?  # (.+)")
_EXAMPLE = re.compile(r" +\S|sisock |SISOCK_")
CLIENT = ("state", "router", "router_ca", "deadline")


class Failure(click.ClickException):
    """A command failed: a sentence for stderr, and the exit code."""

    def __init__(self, sentence: str, code: Exit = Exit.ERROR) -> None:
        """Say what failed and the cure."""
        super().__init__(sentence)
        self.exit_code = code  # type: ignore[misc]  # click reads it from whoever is raised

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"sisock: {self.message}", file=file, err=True)


class Sentences(click.Group):
    """A group whose commands show the examples of their help as they are written, and end in a sentence on failure.

    With SISOCK_LOG_LEVEL=debug they end in a traceback.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        """Make the group as click does."""
        super().__init__(*args, **options)
        _keep_examples(self)

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        _keep_examples(cmd)
        super().add_command(cmd, name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            raise SystemExit(Exit.INTERRUPTED) from None
        except Exception as error:
            if logging.getLogger().isEnabledFor(logging.DEBUG) or _debugging():
                raise
            raise _failure(error) from error


def _keep_examples(command: click.Command) -> None:
    """Mark and indent the examples in help and epilog, which click would wrap."""
    command.help = _marked(command.help)
    command.epilog = _marked(command.epilog)


def _marked(text: str | None) -> str:
    paragraphs = inspect.cleandoc(text or "").split("\n\n")
    return "\n\n".join("\b\n" + indent(dedent(each), "  ") if _EXAMPLE.match(each) else each for each in paragraphs)


def _debugging() -> bool:
    with contextlib.suppress(ValueError):
        return read().log_level == "debug"
    return False


def _failure(error: Exception) -> Failure:
    """The error as a sentence: ours are sentences already."""
    if isinstance(error, ConsumerError):
        return Failure(str(error), code_of(error))
    if isinstance(error, ValueError):
        return Failure(str(error), Exit.USAGE)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return Failure(f"{where}{error.strerror or error}")
    return Failure(f"{type(error).__name__}: {error} (SISOCK_LOG_LEVEL=debug shows where)")


def code_of(error: ConsumerError) -> Exit:
    """The exit code for what a consumer could not get."""
    if isinstance(error, NodeUnknown):
        return Exit.UNKNOWN
    return Exit.NO_ANSWER if isinstance(error, (NodeAway, NoAnswer, NoHub)) else Exit.ERROR


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


def ask(settings: Settings, work: Callable[["Consumer"], Coroutine[Any, Any, T]]) -> T:
    """What the work with a consumer at the hub gives; Failure at once where there is no router."""
    from sisock.consumer import Consumer

    async def run() -> T:
        async with Consumer(settings, name="cli") as consumer:
            return await work(consumer)

    _quiet_logging()
    _look_for_router(settings)
    return asyncio.run(run())


def by_node(targets: Sequence[str]) -> dict[str, list[str]]:
    """The fields of each node among targets `node::field`, each once; ValueError with the cure for other text."""
    nodes: dict[str, list[str]] = {}
    for node, field in dict.fromkeys(map(split_target, targets)):
        nodes.setdefault(node, []).append(field)
    return nodes


def _look_for_router(settings: Settings) -> None:
    """Raise Failure if nobody listens at the router's address: a consumer would wait for it."""
    where = urlsplit(settings.url)
    try:
        port = where.port or (443 if where.scheme == "wss" else 80)
        socket.create_connection((where.hostname or "", port), settings.deadline).close()
    except OSError as error:
        sentence = (
            f"no router at {settings.url} ({error.strerror or error}): start one with `sisock up`, or give --router"
        )
        raise Failure(sentence, Exit.NO_ANSWER) from error


def _quiet_logging() -> None:
    """Log nothing of what goes on below a command that answers with its result or a sentence."""
    if not _debugging():
        logging.getLogger("sisock").addHandler(logging.NullHandler())
        logging.getLogger("sisock").propagate = False
