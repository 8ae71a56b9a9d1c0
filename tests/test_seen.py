"""When principals signed in last is kept for those that are known, whatever becomes of the file."""

import pytest

from sisock.fleet.kept import Seen, read_seen, seen_file


def test_it_is_kept_for_who_is_known_and_over_restarts(state):
    seen = Seen(seen_file(state))
    for name, ns in (("ann", 1), ("bob", 2), ("ann", 3), (None, 4)):
        seen.note(name, ns)
    seen.write({"ann", "carl"})
    assert read_seen(seen_file(state)) == {"ann": 3}
    again = Seen(seen_file(state))
    again.note("carl", 5)
    again.write({"ann", "carl"})
    assert read_seen(seen_file(state)) == {"ann": 3, "carl": 5}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ann": "x"}', "7", "\udcff"])
def test_what_cannot_be_read_is_nothing(state, text):
    path = seen_file(state)
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert read_seen(path) == {}


def test_a_full_disk_costs_nothing_else(state):
    seen = Seen(state / "a file" / "seen.json")
    state.mkdir(exist_ok=True)
    (state / "a file").write_text("")
    seen.note("ann", 1)
    seen.write({"ann"})
    assert read_seen(state / "a file" / "seen.json") == {}


@pytest.mark.parametrize("text", ['{"n": Infinity}', "[" * 5000, '{"n": []}', "\0"])
def test_a_file_of_who_signed_in_that_is_damaged_says_nothing(tmp_path, text):
    (tmp_path / "seen.json").write_text(text)
    assert read_seen(tmp_path / "seen.json") == {}
