"""How a node is, as samples."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sisock.nodes.health import FIELDS, TIMELINE, Health

STATES = st.sampled_from(["ok", "no data", "failed"])


def test_a_node_begins_without_data():
    health = Health(lambda: 5)
    assert (health.state, health.error) == ("no data", "nothing was measured yet")


@given(st.lists(st.tuples(STATES, st.none() | st.text(max_size=5)), max_size=20))
def test_a_change_is_told(reports):
    health = Health(itertools.count(1).__next__)
    state, error = "no data", "nothing was measured yet"
    for now, (new, said) in enumerate(reports, 1):
        frame, changed = health.report(new, 0.5, said)
        assert changed == ((new, said) != (state, error))
        state, error = new, said
        assert (health.state, health.error) == (state, error)
        assert frame.t.tolist() == [now]


@given(STATES, st.floats(allow_nan=False), st.none() | st.text())
def test_a_report_is_one_sample_of_each_field_whatever_the_error_says(state, took, error):
    frame, _ = Health(lambda: 7).report(state, took, error)
    assert (frame.timeline, len(frame), list(frame.columns)) == (TIMELINE, 1, list(FIELDS))
    assert all(column.type == FIELDS[name].type for name, column in frame.columns.items())
    assert frame.columns["health.state"].values.tolist() == [state]
    assert bool(frame.columns["health.error"].present()[0]) == (error is not None)


def test_a_very_long_error_is_cut():
    frame, _ = Health(lambda: 7).report("failed", 0.0, "x" * 1_000_000)
    assert len(frame.columns["health.error"].values[0]) == 1000
