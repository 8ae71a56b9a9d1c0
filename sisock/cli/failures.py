"""How a command fails: a sentence on stderr, and an exit code."""

import contextlib
import inspect
import logging
import re
from textwrap import dedent, indent
from typing import IO, Any

import click

from sisock.errors import ConsumerError, NoAnswer, NodeAway, NodeUnknown, NoHub
from sisock.exits import Exit
from sisock.settings import read

_EXAMPLE = re.compile(r" +\S|sisock |SISOCK_")


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
            if logging.getLogger().isEnabledFor(logging.DEBUG) or debugging():
                raise
            raise _failure(error) from error


def _keep_examples(command: click.Command) -> None:
    """Mark and indent the examples in help and epilog, which click would wrap."""
    command.help = _marked(command.help)
    command.epilog = _marked(command.epilog)


def _marked(text: str | None) -> str:
    paragraphs = inspect.cleandoc(text or "").split("\n\n")
    return "\n\n".join("\b\n" + indent(dedent(each), "  ") if _EXAMPLE.match(each) else each for each in paragraphs)


def debugging() -> bool:
    """True if whoever runs the command wants to see everything."""
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
