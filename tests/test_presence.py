"""The hub's table of data nodes, against a simple model."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sisock.fleet import presence
from sisock.fleet.presence import Presence

NODES, SESSIONS = st.sampled_from("abcd"), st.integers(1, 5)
LISTINGS = st.dictionaries(NODES, SESSIONS)


def test_how_many_are_there_is_told_in_words():
    table = Presence(lambda: 1)
    told = [table.summary]
    for name in "ab":
        table.add(name, "", 1, name, {})
        told.append(table.summary)
    assert told == ["0 data nodes", "1 data node", "2 data nodes"]


class Table(RuleBasedStateMachine):
    """Nodes are added, taken back, lost with their sessions, and found anew in the router."""

    def __init__(self):
        super().__init__()
        self.now, self.changes = 0, 0
        self.presence = Presence(self.clock, self.change)
        self.up, self.known, self.since = {}, {}, {}

    def clock(self):
        self.now += 1
        return self.now

    def change(self):
        self.changes += 1

    def gone(self, name):
        del self.up[name]
        self.since[name] = self.now

    @rule(name=NODES, session=SESSIONS)
    def add(self, name, session):
        new = self.up.get(name) != session
        assert self.presence.add(name, f"{name} of {session}", session, f"key-{session}", {"v": 1}) == new
        self.up[name], self.known[name] = session, f"{name} of {session}"
        self.since[name] = self.now if new else self.since[name]

    @rule(session=SESSIONS)
    def leave(self, session):
        expected = sorted(name for name, holder in self.up.items() if holder == session)
        before = self.now
        assert [entry.name for entry in self.presence.leave(session)] == expected
        for number, name in enumerate(expected, 1):
            self.gone(name)
            self.since[name] = before + number

    @rule(name=NODES, session=SESSIONS)
    def subtract(self, name, session):
        entry = self.presence.subtract(name, session)
        assert (entry is not None) == (self.up.get(name) == session)
        if entry:
            assert (entry.name, entry.session) == (name, session)
            self.gone(name)

    @rule(there=LISTINGS)
    def reconcile(self, there):
        new, gone = self.presence.reconcile((name, session, f"key-{session}") for name, session in there.items())
        assert {entry.name for entry in gone} == {
            name for name, session in self.up.items() if there.get(name) != session
        }
        assert {entry.name for entry in new} == {name for name in there if self.up.get(name) != there[name]}
        assert {entry.name: entry.session for entry in new}.items() <= there.items()
        self.up = dict(there)
        self.known = {**dict.fromkeys(there, ""), **self.known}
        self.since = {entry.name: entry.since for entry in self.presence}

    @rule()
    def restart(self):
        """A hub that starts again takes over what was dumped."""
        text = self.presence.dump()
        self.presence = Presence(self.clock, self.change)
        self.presence.load(text)
        assert self.presence.dump() == text

    @invariant()
    def the_table_is_the_model(self):
        assert {entry.name: entry.session for entry in self.presence.up()} == self.up
        assert {entry.name: entry.description for entry in self.presence} == self.known
        assert {entry.name: entry.since for entry in self.presence} == self.since
        assert [entry.name for entry in self.presence] == sorted(self.known)
        for name in "abcd":
            assert self.presence.holder(name) == self.up.get(name)
            assert (name in self.presence) == (name in self.known)
        for entry in self.presence:
            listed = entry.listed(sensitive=True)
            assert listed["state"] == ("up" if entry.name in self.up else "away")
            assert listed["sensitive"] is True
            assert entry.public == {"name": entry.name, "description": entry.description}


TestTable = Table.TestCase


def test_each_change_is_told_and_nothing_else():
    changes = []
    table = Presence(itertools.count(1).__next__, lambda: changes.append(1))
    table.add("a", "", 1, "a", {})
    table.subtract("a", 2)
    table.leave(7)
    table.reconcile([("a", 1, "a")])
    assert len(changes) == 1
    table.leave(1)
    assert len(changes) == 2


def test_what_the_node_said_of_itself_is_kept_through_an_absence():
    table = Presence(itertools.count(1).__next__)
    table.add("a", "what it is", 1, "a", {"v": 1, "kind": "live"})
    table.leave(1)
    table.reconcile([("a", 9, "a")])
    assert table["a"].listed(sensitive=False) == {
        "name": "a", "description": "what it is", "state": "up", "since": 3, "sensitive": False, "info": {"v": 1, "kind": "live"},
        "kept_by": [],
    }  # fmt: skip


def test_a_node_that_only_a_recorder_knows_is_away_and_others_stay_as_they_are():
    table = Presence(itertools.count(1).__next__)
    table.add("a", "what it is", 1, "a", {})
    for name in ("a", "b", "b"):
        table.recall(name)
    listed = [entry.listed(sensitive=False, kept_by=["recorder"]) for entry in table]
    assert [(each["name"], each["state"], each["since"]) for each in listed] == [("a", "up", 1), ("b", "away", 2)]
    assert listed[1]["kept_by"] == ["recorder"]


def test_no_more_than_a_number_of_absent_nodes_are_remembered(monkeypatch):
    monkeypatch.setattr(presence, "MOST_AWAY", 3)
    table = Presence(itertools.count(1).__next__)
    for number in range(6):
        table.add(f"n{number}", "", number, "", {})
    for number in range(5):
        table.leave(number)
    assert [entry.name for entry in table] == ["n2", "n3", "n4", "n5"]


@pytest.mark.parametrize(
    "text",
    ["", "x", "null", "[]", "5", "{}", '{"v": 2, "nodes": []}', '{"v": 1}', '{"v": 1, "nodes": 5}', '{"v": 1, "nodes": [5]}']
    + ['{"v": 1, "nodes": [{}]}', '{"v": 1, "nodes": [[]]}', '{"v": 1, "nodes": [{"name": "a"}]}', "\ud800", "[" * 100_000]
    + [json.dumps({"v": 1, "nodes": [{"name": name, "description": "", "since": since, "session": session, "info": info}]})
       for name, since, session, info in [(5, 1, 1, {}), ("a b", 1, 1, {}), ("a", "x", 1, {}), ("a", 1, "x", {}), ("a", 1, 1, 5)]],
)  # fmt: skip
def test_what_is_no_table_is_a_value_error_and_leaves_the_table_as_it_was(text):
    table = Presence(lambda: 1)
    table.add("a", "", 1, "", {})
    with pytest.raises(ValueError, match=r"."):
        table.load(text)
    assert [entry.name for entry in table] == ["a"]


@given(
    st.text(max_size=20)
    | st.recursive(
        st.none() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["v", "nodes", "name"]), x)
    ).map(json.dumps)
)
def test_junk_is_a_value_error_or_a_table(text):
    table = Presence(lambda: 1)
    try:
        table.load(text)
    except ValueError:
        return
    json.loads(table.dump())
