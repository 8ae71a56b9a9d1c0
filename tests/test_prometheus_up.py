"""`up` of the bridge as a Prometheus: which nodes were there when."""

import time

import numpy as np
import pytest

from grafana_json.changes import Change, Changes
from grafana_json.prometheus.overtime import FUNCTIONS, LATEST
from grafana_json.prometheus.presence import presence
from grafana_json.prometheus.windows import Windows
from sisock.listing import Node
from sisock.times import NS
from tests.memory import MONDAY
from tests.promql import DAY, ask, numbers, over


def test_up_is_one_for_a_node_that_is_there_and_zero_for_one_that_went(source, client):
    now = round(time.time())
    tell(source, client, (now - 600, "away"), (now - 300, "up"))
    assert numbers(ask(client, 'up{node="host"}', now)) == {now: 1}
    assert numbers(ask(client, 'up{node="host"}', now - 400)) == {now - 400: 0}
    assert numbers(ask(client, 'min_over_time(up{node="host"}[15m])', now)) == {now: 0}
    half = numbers(ask(client, 'avg_over_time(up{node="host"}[10m])', now))
    assert half == {now: pytest.approx(0.5, abs=0.05)}
    assert ask(client, "up", MONDAY - 10)["data"]["result"] == []
    assert ask(client, "up", now + 3600)["data"]["result"] == []


def tell(source, client, *changes):
    """Let the bridge hear that the node `host` came or went, at times in seconds."""
    ask(client, "up")
    for at, state in changes:
        for hear in source.callbacks:
            hear("added" if state == "up" else "subtracted", Node("host", "", state, at * NS))


def test_over_a_year_a_short_absence_counts_for_as_long_as_it_was(source, client):
    tell(source, client, (MONDAY + 10 * DAY + 3600, "away"), (MONDAY + 10 * DAY + 5400, "up"))
    window = MONDAY + DAY, MONDAY + 100 * DAY, DAY
    share = numbers(over(client, 'avg_over_time(up{node="host"}[1d])', *window))
    assert len(share) == 100
    for at, value in share.items():
        assert value == pytest.approx(1 - 0.5 / 24 if at == MONDAY + 11 * DAY else 1, abs=1e-6)
    for query, other in (("min_over_time(up{node='host'}[1d])", 0), ("changes(up{node='host'}[1d])", 2)):
        usual = 1 if other == 0 else 0
        found = numbers(over(client, query, *window))
        assert found == {at: other if at == MONDAY + 11 * DAY else usual for at in share}
    often = numbers(over(client, 'count_over_time(up{node="host"}[1h])', *window))
    assert set(often.values()) == {240}  # one in 15 s


class Heard:
    """What a directory knows of a node that came a year ago and went for an hour on some days."""

    def __init__(self, absences):
        self.changes = Changes()
        self.changes.add(Change(MONDAY * NS, "n", "up", ""))
        for day in range(1, absences + 1):
            for hour, state in ((1, "away"), (2, "up")):
                self.changes.add(Change((MONDAY + day * DAY + hour * 3600) * NS, "n", state, ""))

    def nodes(self):
        return {"n": Node("n", "")}


@pytest.mark.parametrize("length", [60, 3600, DAY, 30 * DAY])
def test_a_year_of_up_is_no_more_than_its_steps_and_changes(length):
    until = (MONDAY + DAY * np.arange(1, 366)) * NS
    now = (MONDAY + 400 * DAY) * NS
    for wanted in (LATEST, FUNCTIONS["avg_over_time"]):
        made = presence(Heard(20), "n", Windows(until - length * NS, until), now, wanted, 1000)
        assert len(made.p) <= 2 * 365 + 40 + 2
        assert (wanted.made(made, Windows(until - length * NS, until))[1]).all()
    raw = FUNCTIONS["changes"]
    assert len(presence(Heard(20), "n", Windows(until - length * NS, until), now, raw, 1000).p) <= 2_000 + 2 * 365 + 42
