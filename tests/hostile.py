"""What nobody should send: values of any shape, for tests that send them all the same."""

from typing import Any

from hypothesis import strategies as st


def any_shape(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """These, and lists and tables of them."""
    return st.recursive(
        scalars, lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=8), inside, max_size=4)
    )
