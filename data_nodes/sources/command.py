"""A command: run now and then, without a shell, what it prints is read."""

from collections.abc import Mapping

from data_nodes.sources.source import Polled
from sisock.nodes import Intake
from sisock.nodes.command import run_command
from sisock.parsers.rows import Parsed


class Command(Polled):
    """What a command prints."""

    async def ask(self, intake: Intake) -> tuple[Parsed, Mapping[str, str] | None]:
        """Run it once."""
        said = self.spec.options
        output = await run_command(
            tuple(said["command"]), said["timeout"], said["most"], tuple(said["exits"]), "install it, or write its path"
        )
        return await self.read(output), None
