"""Which recorders keep the past of which nodes, as the hub hears of it."""

from sisock.fleet.recorders import Kept, Recorders


def test_recorders_are_told_by_name_for_each_node_until_their_registration_or_session_ends():
    table = Recorders()
    for kept in (Kept(1, "a", 10, "second"), Kept(2, "a", 20, "first"), Kept(3, "b", 20, "first")):
        table.add(kept)
        table.add(kept)
    assert (table.by_node().get("a", []), table.by_node().get("b", []), table.by_node().get("c", [])) == (
        ["first", "second"],
        ["first"],
        [],
    )
    table.delete(1)
    table.delete(99)
    assert table.by_node().get("a", []) == ["first"]
    table.leave(20)
    assert (table.by_node().get("a", []), table.by_node().get("b", [])) == ([], [])


def test_what_is_heard_after_its_end_does_not_come_back():
    table = Recorders()
    table.delete(1)
    table.add(Kept(1, "a", 10, "late"))
    assert table.by_node().get("a", []) == []
    table.clear()
    table.add(Kept(1, "a", 10, "of another router"))
    assert table.by_node().get("a", []) == ["of another router"]
