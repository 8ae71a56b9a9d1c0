"""Lines that wait for Grafana Live, and how they come to it through everything that happens on the way."""

from pathlib import Path

import pytest

from sisock.outlets.grafana_live import Live, address
from sisock.outlets.sending import Sender
from sisock.outlets.waiting import Waiting
from sisock.testing.router import free_port
from tests.live import TOKEN, serving, token_file, wait_for


@pytest.fixture
def token(tmp_path: Path) -> Path:
    return token_file(tmp_path)


# the queue


def test_where_there_is_no_room_the_oldest_lines_go_and_are_counted():
    waiting = Waiting(most_lines=3)
    waiting.put(f"m v={n}" for n in range(5))
    assert waiting.take(10, 1000) == [b"m v=2\n", b"m v=3\n", b"m v=4\n"]
    assert waiting.dropped == 2
    narrow = Waiting(most_bytes=12)
    narrow.put(["m v=1", "m v=2", "m v=3"])
    assert (narrow.take(10, 1000), narrow.dropped) == ([b"m v=2\n", b"m v=3\n"], 1)


def test_portions_have_a_size_and_what_is_put_back_comes_first_and_goes_first():
    waiting = Waiting(most_lines=3)
    waiting.put(["m v=1", "m v=2", "m v=3"])
    assert waiting.take(10, 13) == [b"m v=1\n", b"m v=2\n"]
    waiting.put(["m v=4"])
    waiting.put_back([b"m v=1\n", b"m v=2\n"])
    assert (waiting.take(1, 1), waiting.dropped) == ([b"m v=2\n"], 1)
    assert waiting.take(10, 1000) == [b"m v=3\n", b"m v=4\n"]
    assert not waiting.wait(0)


# the sender


class Told(list):
    """Sentences that were told."""

    def __call__(self, sentence: str) -> None:
        self.append(sentence)


@pytest.fixture
def sender(token: Path):
    """Start a sender to a port, which ends with the test."""
    made: list[Sender] = []

    def start(port: int, waiting: Waiting, told: Told) -> Sender:
        live = Live(address(f"http://127.0.0.1:{port}", "lab"), token)
        made.append(Sender(waiting, live, told, pause=0.05))
        return made[-1]

    yield start
    for each in made:
        each.stop()


@pytest.mark.parametrize("trouble", [500, 503, 401, 404, "cut"])
def test_after_any_trouble_every_line_arrives_in_order(sender, trouble):
    waiting, told = Waiting(), Told()
    with serving() as grafana:
        grafana.failing = [trouble] * 3
        started = sender(grafana.port, waiting, told)
        waiting.put(f"m v={n}" for n in range(100))
        grafana.wait(lambda: len(grafana.lines) >= 100)
        waiting.put(["m v=100"])
        wait_for(lambda: started.sent == 101)  # it has the answers
    assert grafana.lines == [f"m v={n}" for n in range(101)]
    assert len(told) == 2  # once that it is away, once that it is there again
    assert told[1] == "Grafana takes lines again; 0 were dropped for want of room, 0 were refused"


def test_a_grafana_that_comes_later_gets_the_newest_lines_and_what_was_dropped_is_told(sender):
    port, waiting, told = free_port(), Waiting(most_lines=50), Told()
    sender(port, waiting, told)
    waiting.put(f"m v={n}" for n in range(200))
    wait_for(lambda: told)
    with serving(port) as grafana:
        grafana.wait(lambda: "m v=199" in grafana.lines)
        wait_for(lambda: len(told) == 2)  # it has the answer
    assert grafana.lines == [f"m v={n}" for n in range(150, 200)]
    assert waiting.dropped == 150
    assert "cannot be reached: Connection refused" in told[0]
    assert told[1] == "Grafana takes lines again; 150 were dropped for want of room, 0 were refused"


def test_lines_that_grafana_does_not_want_are_counted_and_hold_up_no_others(sender):
    waiting, told = Waiting(), Told()
    with serving() as grafana:
        grafana.failing = [400, *[500] * 5]
        started = sender(grafana.port, waiting, told)
        for n in (1, 2, 3):
            waiting.put([f"m v={n}"])
            wait_for(lambda n=n: started.refused + started.sent >= n)
    assert (started.refused, grafana.lines) == (2, ["m v=3"])
    assert "2 were refused" in told[-1]


def test_a_token_that_is_replaced_is_used_from_the_next_attempt_on(sender, token: Path):
    waiting, told = Waiting(), Told()
    token.write_text("old")
    with serving() as grafana:
        sender(grafana.port, waiting, told)
        waiting.put(["m v=1"])
        wait_for(lambda: told)
        token.write_text(TOKEN)
        grafana.wait(lambda: grafana.lines == ["m v=1"])
    assert "does not know the token" in told[0]
