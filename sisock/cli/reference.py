"""The help of all commands as one page: `python -m sisock.cli.reference > docs/commands.md`."""

import sys
from collections.abc import Iterator

import click

from sisock.cli import main

_HEAD = """# The commands

Made from the help texts by `python -m sisock.cli.reference > docs/commands.md`; a test keeps it so.
"""


def page() -> str:
    """The page as Markdown."""
    context = main.make_context("sisock", [], resilient_parsing=True, terminal_width=100, max_content_width=100)
    return "\n".join([_HEAD, *(f"## `{path}`\n\n```\n{text}\n```\n" for path, text in _helps(context))])


def _helps(context: click.Context) -> Iterator[tuple[str, str]]:
    """A command and each below it with its help, in the order of the names."""
    command = context.command
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name, each in sorted(command.commands.items()):
            yield from _helps(each.make_context(name, [], parent=context, resilient_parsing=True))


if __name__ == "__main__":
    sys.stdout.write(page())
