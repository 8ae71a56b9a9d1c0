"""Whatever lies in a file or comes over the wire: it is read, or refused in a sentence, within a second and without growing.

`HOSTILE_CALLS` of the environment says how many inputs each reader gets, `HOSTILE_SEED` which ones.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module

import pytest

from tests.hostile_reading import GROWTH, Outcome, Reader, suffer

INPUTS = int(os.environ.get("HOSTILE_CALLS", "2000"))
SEED = int(os.environ.get("HOSTILE_SEED", "0"))
AT_ONCE = 2
MODULES = ("others", "archive", "journals", "state", "wire", "messages", "devices")
READERS: dict[str, Reader] = {
    f"readers.{module}:{key}": reader
    for module in MODULES
    for key, reader in import_module(f"tests.readers.{module}").READERS.items()
}

pytestmark = pytest.mark.timeout(120 + INPUTS // 2)


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Outcome]]]:
    """What becomes of the readers whose tests were chosen, some of them at the same time."""
    chosen = {
        each.callspec.params.get("name") for each in request.session.items
        if isinstance(each, pytest.Function) and each.path == request.path and hasattr(each, "callspec")
    }  # fmt: skip
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield {
            name: threads.submit(suffer, name, max(1, INPUTS // reader.share), SEED)
            for name, reader in READERS.items()
            if name in chosen
        }
        threads.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", READERS)
def test_what_cannot_be_read_is_said_in_a_sentence(outcomes: dict[str, Future[Outcome]], name: str):
    outcome = outcomes[name].result()
    assert not outcome.failures, "\n".join(outcome.failures)
    assert outcome.grown < GROWTH


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("crashes", "ends the process (-11)"),
        ("raises", "ZeroDivisionError"),
        ("says nothing", "says no sentence"),
        ("is slow", "takes "),
    ],
)
def test_a_reader_that_does_not_keep_to_it_is_found(name: str, told: str):
    outcome = suffer(f"readers.bad:{name}", 11, SEED)
    assert told in outcome.failures[0]
    assert f"python -m tests.hostile_reading readers.bad:{name} {SEED} " in outcome.failures[0]


def test_a_reader_that_keeps_what_it_reads_is_found():
    assert suffer("readers.bad:grows", 20, SEED).grown > GROWTH
