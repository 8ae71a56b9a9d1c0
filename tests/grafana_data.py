"""Grafana's own library in a node process, for tests: what it makes of the bridge's answers."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests import peers
from tools import apart

SCRIPT = Path(__file__).parent / "grafana" / "frames.cjs"
ODD = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


class Field(NamedTuple):
    """One field of a frame: its values, and what a panel calls them."""

    name: str
    type: str
    shown_as: str
    values: list[Any]
    config: dict[str, Any]
    labels: dict[str, str] | None
    nanos: list[int] | None


class Made(NamedTuple):
    """A frame that toDataFrame made."""

    name: str | None
    ref: str | None
    meta: dict[str, Any]
    length: int
    fields: list[Field]

    @property
    def notices(self) -> list[tuple[str, str]]:
        """Severity and text of what is told at the panel."""
        return [(each["severity"], each["text"]) for each in self.meta.get("notices", [])]

    def field(self, name: str) -> Field:
        """The field of that name."""
        (field,) = [each for each in self.fields if each.name == name]
        return field


class Grafana:
    """The process, which has loaded the library."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        """Speak to it by lines."""
        self._process = process

    def frames(self, elements: list[Any]) -> list[Made]:
        """What toDataFrame makes of each element of an answer."""
        return [_made(each) for each in self._ask(how="each", said=elements)]

    def frame(self, answer: list[Any]) -> Made:
        """What toDataFrame makes of the answer as a whole."""
        (made,) = self._ask(how="whole", said=answer)
        return _made(made)

    def units(self) -> set[str]:
        """The ids of all units there are."""
        return set(self._ask(how="units"))

    def markdown(self, texts: list[str]) -> list[str]:
        """The HTML that a text panel makes of each, before anything is taken out of it."""
        return self._ask(how="markdown", said=texts)

    def _ask(self, **asked: Any) -> list[Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked, allow_nan=False) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer
        made: list[Any] = answer["made"]
        return made


@contextlib.contextmanager
def grafana() -> Iterator[Grafana]:
    """Grafana's library in a process of its own, which takes seconds to load: one for a module of tests."""
    command = [apart.find_node()[0], str(SCRIPT), peers.need("grafana-data")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Grafana(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(10)


def _made(told: dict[str, Any]) -> Made:
    fields = [
        Field(
            each["name"],
            each["type"],
            each["shownAs"],
            [_value(value) for value in each["values"]],
            each["config"],
            each["labels"],
            each["nanos"],
        )
        for each in told["fields"]
    ]
    return Made(told["name"], told["refId"], told["meta"] or {}, told["length"], fields)


def _value(told: Any) -> Any:
    return ODD.get(told["$"], told["$"]) if isinstance(told, dict) else told
