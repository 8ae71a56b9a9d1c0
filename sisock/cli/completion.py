"""`sisock completion`: what a shell needs to complete commands."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script for completion in a shell.

    It completes commands, options and the names of data nodes.

    sisock completion bash >> ~/.bashrc
    sisock completion zsh  >> ~/.zshrc
    sisock completion fish >  ~/.config/fish/completions/sisock.fish
    """
    kind = get_completion_class(shell)
    if kind is None:  # click knows the three of the choice
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(kind(context.find_root().command, {}, "sisock", "_SISOCK_COMPLETE").source())
