"""A principal's file that cannot be read holds back nobody else."""

import pytest

from sisock.fleet.kept import Principals
from sisock.keys import ensure_principal

KEY, OTHER = "12" * 32, "34" * 32


@pytest.fixture
def principals(state):
    for name in ("ann", "bob"):
        ensure_principal(state, name, "consumer", KEY)
    made = Principals(state, {})
    made.read()
    return made


@pytest.mark.parametrize("text", ["{", "[]", '{"role": "king"}', '{"role": "consumer", "keys": ["x"]}'])
def test_it_counts_as_before_and_all_others_as_they_are(state, principals, caplog, text):
    path = state / "principals" / "ann.json"
    path.write_text(text)
    (state / "principals" / "bob.json").unlink()
    ensure_principal(state, "carl", "consumer", OTHER)
    (state / "principals" / "dora.json").write_text(text)
    for _ in range(2):
        snapshot, _ = principals.read()
        assert set(snapshot["principals"]) == {"page", "ann", "carl"}
        assert snapshot["principals"]["ann"] == {"role": "consumer", "keys": [KEY]}
    assert "until then ann is as before" in caplog.text
    assert "until then dora is nobody" in caplog.text
    path.unlink()
    assert set(principals.read()[0]["principals"]) == {"page", "carl"}


@pytest.mark.parametrize("name", ["a b", "1st", "x" * 64, "ä"])
def test_a_file_whose_name_can_be_nobodys_holds_back_nobody(state, principals, caplog, name):
    (state / "principals" / f"{name}.json").write_text('{"role": "consumer", "names": ["x"]}')
    assert set(principals.read()[0]["principals"]) == {"page", "ann", "bob"}
    assert "rename or remove it" in caplog.text


def test_a_change_is_noticed_until_the_router_has_taken_it(state, principals):
    _, stamps = principals.read()
    principals.taken(stamps)
    assert not principals.changed()
    ensure_principal(state, "ann", "consumer", OTHER)
    assert principals.changed()
