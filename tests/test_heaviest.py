"""The heaviest of many, against looking at all of them."""

from hypothesis import given
from hypothesis import strategies as st

from sisock.store.heaviest import Heaviest


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 5)), max_size=300))
def test_the_top_is_what_looking_at_all_of_them_finds(steps):
    heaviest, known = Heaviest(), {}
    for name, weight in steps:
        if weight:
            heaviest.set(name, weight)
            known[name] = weight
        else:
            heaviest.drop(name)
            known.pop(name, None)
        assert heaviest.top() == max(known, key=known.__getitem__, default=None)
        assert len(heaviest._heap) <= 2 * len(known) + 65
