"""Sources of lines: each is read by itself."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from data_nodes.sources.source import Source
from sisock.nodes import Intake
from sisock.parsers import csv_text
from sisock.parsers.rows import Parse, Parsed, Refused

_WITHIN = 30.0  # seconds that reading some lines may take


class Lined(Source):
    """A source whose lines come one after the other."""

    _taken = 0  # samples

    async def lines(
        self,
        intake: Intake,
        lines: Sequence[bytes],
        refused: Sequence[Refused] = (),
        notes: Mapping[str, str] | None = None,
        head: str | None = None,
    ) -> None:
        """Read these lines, and let the intake have what is in them. `head`: the line that names the columns."""
        async with asyncio.timeout(_WITHIN):
            parsed: Parsed = await self.thread.run(self._parsed, lines, head)
        parsed.refused.extend(refused)
        self._taken += await self.hand(intake, parsed, notes)
        if parsed.rows or self._taken:
            intake.tell("ok")
        elif parsed.refused:
            intake.tell("failed", f"nothing of what came could be taken: {parsed.refused[0].reason}")

    def _parsed(self, lines: Sequence[bytes], head: str | None) -> Parsed:
        whole = Parsed([], [])
        parse = self._parser(head)
        for line in lines:
            parsed = self._line(line, parse)
            whole.rows.extend(parsed.rows)
            whole.refused.extend(parsed.refused)
        return whole

    def _parser(self, head: str | None) -> Parse:
        wanted = self.spec.wanted
        if head is None or wanted.parser != "csv" or wanted.columns:
            return self.spec.parse
        between = wanted.delimiter or csv_text.delimiter_of(head)
        try:
            titles = csv_text.titles_of(head, between)
        except ValueError as error:
            return _refusing(str(error))
        return csv_text.parser(titles, between, wanted.texts)

    def _line(self, line: bytes, parse: Parse) -> Parsed:
        try:
            text = line.decode(self.spec.options.get("encoding", "utf-8"))
        except UnicodeDecodeError as error:
            shown = line.decode("utf-8", "backslashreplace")
            return Parsed(
                [], [Refused(f"its letters are not {error.encoding}: say with encoding = what they are", shown)]
            )
        return parse(self.readable(text))


def _refusing(reason: str) -> Callable[[str], Parsed]:
    return lambda text: Parsed([], [Refused(reason, text)] if text.strip() else [])
