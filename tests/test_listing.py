"""What the hub lists and tells of nodes, as consumers read it."""

import pytest

from sisock.listing import Node, read_news


def test_news_are_read_in_their_order():
    said = [["added", {"name": "a", "description": "A"}], ["subtracted", {"name": "a", "description": None}]]
    assert list(read_news(said)) == [("added", Node("a", "A")), ("subtracted", Node("a", "", "away"))]


@pytest.mark.parametrize(
    "news",
    [None, 7, "added", {}, [], [None], [[]], [["added"]], [["added", None]], [["added", {}]], [["added", {"name": 7}]],
     [["gone", {"name": "a"}]], [["added", {"name": "a"}, 1]], [["added", "a"]]],
)  # fmt: skip
def test_what_is_no_news_is_left_out(news):
    assert list(read_news(news)) == []
    assert [
        node.name for _, node in read_news([["added", {"name": "b"}], *(news if isinstance(news, list) else [])])
    ] == ["b"]


@pytest.mark.parametrize(
    ("state", "info", "health"),
    [("up", {}, ""), ("up", {"health": "failed"}, "failed"), ("up", {"health": "no data"}, "no data"),
     ("away", {"health": "failed"}, ""), ("up", {"health": "fine\n"}, ""), ("up", {"health": ["failed"]}, "")],
)  # fmt: skip
def test_a_node_that_is_up_may_say_that_it_is_not_well(state, info, health):
    assert Node("a", "A", state, info=info).health == health
