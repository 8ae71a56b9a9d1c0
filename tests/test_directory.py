"""What the bridge knows of nodes and fields, and that it goes on whatever a hub or a node answers."""

import logging

import pytest

from grafana_json.directory import Directory
from sisock.consumer import Node
from sisock.errors import ConsumerError, NoAnswer
from sisock.frames import Field

DEADLINE = 5.0


class Told:
    """A consumer that answers what the test says; an error is raised."""

    connected = True

    def __init__(self, *nodes, **fields):
        self.listing, self.answers = list(nodes), fields
        self.asked, self.hear = [], None

    def nodes(self):
        return _given(self.listing)

    def measures(self):
        return {}

    def on_lost(self, callback, /):
        self.lose = callback

    def fields(self, node, start, end):
        self.asked.append((node, start, end))
        return _given(self.answers[node]), {}

    def on_event(self, callback, /):
        self.hear = callback

    def news(self):
        self.hear("added", Node("host", "the host", "up", 1))


def _given(answer):
    if isinstance(answer, Exception):
        raise answer
    return answer


HOST = Node("host", "the host", "up", 1)


@pytest.fixture
def lines(caplog):
    """What the directory has logged."""
    caplog.set_level(logging.INFO, "grafana_json")
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records]


def test_fields_are_asked_without_a_window_since_intervals_take_a_node_s_time():
    source = Told(HOST, host={"cpu": Field()})
    assert Directory(source, DEADLINE).known() == {"host": {"cpu": Field()}}
    assert source.asked == [("host", 0, 0)]


@pytest.mark.parametrize(
    ("nonsense", "said"),
    [
        (RuntimeError("a bug"), "no listing: RuntimeError('a bug')"),
        (ConsumerError("the hub's listing is odd"), "the hub's listing is odd"),
        ([None], "no listing: AttributeError"),
    ],
    ids=["bug", "error", "no node"],
)
def test_a_listing_that_fails_is_told_once_and_the_next_one_counts(lines, nonsense, said):
    source = Told(HOST, Node("other", "", "up", 1), host={"cpu": Field()}, other={})
    directory = Directory(source, DEADLINE)
    directory.known()
    sound, source.listing = source.listing, nonsense
    for _ in range(3):
        source.news()
        assert set(directory.known()) == {"host", "other"}
    ((level, line),) = lines()
    assert (level, line.startswith(f"listing of nodes unknown: {said}")) == ("WARNING", True)
    source.listing = sound[:1]
    source.news()
    assert set(directory.known()) == {"host"}
    assert lines()[1:] == [("INFO", "listing of nodes known again")]


def test_fields_of_a_node_that_is_away_are_asked_where_somebody_keeps_its_past():
    kept, lost = Node("kept", "", "away", 1, kept_by=("recorder",)), Node("lost", "", "away", 1)
    source = Told(HOST, kept, lost, host={"cpu": Field()}, kept={"level": Field()}, lost={"x": Field()})
    assert Directory(source, DEADLINE).known() == {"host": {"cpu": Field()}, "kept": {"level": Field()}, "lost": {}}


def test_of_a_node_that_is_no_longer_shown_no_coming_or_going_is_told():
    """The router ends a session that may see less; the next one begins with what it may see."""
    source = Told(HOST, Node("secret", "", "up", 1), host={"cpu": Field()}, secret={"x": Field()})
    directory = Directory(source, DEADLINE)
    assert set(directory.known()) == {"host", "secret"}
    assert {each.node for each in directory.changes.between(0, 9, "")} == {"host", "secret"}
    source.listing = NoAnswer("there is no router")
    source.lose()
    assert directory.changes.between(0, 9, "") == []
    source.listing = [HOST]
    source.news()
    directory.known()
    assert {each.node for each in directory.changes.between(0, 9, "")} == {"host"}
    assert directory.changes.of("secret") == []


def test_a_listing_of_before_the_connection_was_lost_does_not_count():
    source = Told(HOST, host={"cpu": Field()})
    directory = Directory(source, DEADLINE)
    directory.known()
    secret = [HOST, Node("secret", "", "up", 1)]

    def listed():
        source.nodes = lambda: [HOST]
        source.lose()  # while the answer was under way
        return secret

    source.nodes = listed
    source.news()
    assert set(directory.known()) == {"host"}
    assert {each.node for each in directory.changes.between(0, 9, "")} == {"host"}


def test_without_any_listing_the_trouble_is_raised():
    with pytest.raises(ConsumerError, match=r"no listing: ZeroDivisionError\('why'\)"):
        Directory(_failing(ZeroDivisionError("why")), DEADLINE).known()


def _failing(error):
    source = Told()
    source.listing = error
    return source


@pytest.mark.parametrize("error", [NoAnswer("host did not answer"), OverflowError("a bug")])
def test_a_node_whose_fields_fail_keeps_those_it_had_and_readers_go_on(lines, error):
    source = Told(HOST, host={"cpu": Field()})
    directory = Directory(source, DEADLINE)
    directory.known()
    source.answers["host"] = error
    for _ in range(20):  # more than there are readers
        source.news()
        assert directory.known() == {"host": {"cpu": Field()}}
    source.answers["host"] = {"mem": Field()}
    source.news()
    assert directory.known() == {"host": {"mem": Field()}}
    why = str(error) if isinstance(error, ConsumerError) else repr(error)
    assert lines() == [("WARNING", f"fields of host unknown: {why}"), ("INFO", "fields of host known again")]
