"""`sisock completion`: what a shell needs to complete commands."""

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    get_completion_class,
)


@add_completion_class
class Bash(BashComplete):
    """Completion in bash, which takes `host::cpu` apart at its colons, and wants the rest of the last piece only."""

    _before = ""  # of the begun word: what bash leaves as it is

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is begun, and that one, each put together again."""
        before, piece = super().get_completion_args()
        if not piece:
            return _joined(before), ""
        *words, begun = _joined([*before, piece])
        if begun != piece:  # as COMP_WORDBREAKS may be without the colon
            self._before = begun[: begun.rindex(":") + 1]
        return words, begun

    def format_completion(self, item: "CompletionItem[str]") -> str:
        """As click does, without what stands there."""
        return f"{item.type},{item.value.removeprefix(self._before)}"


def _joined(pieces: list[str]) -> list[str]:
    """The words that bash took apart at colons."""
    words: list[str] = []
    after = False  # a piece of colons
    for piece in pieces:
        colons = set(piece) == {":"}
        if words and (colons or after):
            words[-1] += piece
        else:
            words.append(piece)
        after = colons
    return words


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script for completion in a shell.

    It completes commands, options, and, where the hub answers within a second, the names of data nodes, their fields
    (`sisock get host::c`) and of principals. From bash 4.4.

    sisock completion bash >> ~/.bashrc
    sisock completion zsh  >> ~/.zshrc
    sisock completion fish >  ~/.config/fish/completions/sisock.fish
    """
    kind = get_completion_class(shell)
    if kind is None:  # click knows the three of the choice
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(kind(context.find_root().command, {}, "sisock", "_SISOCK_COMPLETE").source())
