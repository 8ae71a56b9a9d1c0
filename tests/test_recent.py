"""What was used last is kept as long as there is room for it."""

from hypothesis import given
from hypothesis import strategies as st

from sisock.store.recent import Recent


def test_what_was_not_asked_for_the_longest_goes_first():
    kept = Recent(10)
    for key in "abc":
        kept.put(key, key.upper(), 3)
    assert kept.get("a") == "A"
    kept.put("d", "D", 4)
    assert [kept.get(key) for key in "abcd"] == ["A", None, "C", "D"]


def test_what_is_too_heavy_is_not_kept_and_neither_is_what_is_dropped():
    kept = Recent(10, count=2)
    kept.put("a", "A", 11)
    assert kept.get("a") is None
    for key in "bcd":
        kept.put(key, key.upper(), 1)
    assert [kept.get(key) for key in "bcd"] == [None, "C", "D"]
    kept.drop(lambda key: key == "c")
    assert [kept.get(key) for key in "cd"] == [None, "D"]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8), st.sampled_from(["put", "get", "drop"]))))
def test_it_is_never_heavier_than_it_may_be(steps):
    kept, weights = Recent(12, count=4), {}
    for key, weight, what in steps:
        if what == "put":
            kept.put(key, weight, weight)
            weights[key] = weight
        elif what == "drop":
            kept.drop(lambda other, key=key: other == key)
            weights.pop(key, None)
        there = {key: kept.get(key) for key in list(weights) if kept.get(key) is not None}
        assert sum(there.values()) <= 12
        assert len(there) <= 4
        assert all(weights[key] == weight for key, weight in there.items())
        if what == "put" and weight <= 12:
            assert kept.get(key) == weight
