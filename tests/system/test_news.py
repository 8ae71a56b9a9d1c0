"""Many nodes that come and go at once are few events to our own consumers, and one each to existing ones."""

from pathlib import Path

from tests.fleet import running_fleet

MANY = 60
HOUSE = '''
from sisock.nodes import LiveNode


class Many(LiveNode):
    """One of many."""

    interval = 60.0

    def sample(self):
        return {"x": 1}


for number in range(60):
    globals()[f"Many{number}"] = type(f"Many{number}", (Many,), {"name": f"many{number}", "__doc__": f"Number {number}."})
del Many
'''


def test_all_is_heard_once_in_order_and_few_events_are_needed(tmp_path: Path) -> None:
    names = [f"many{number}" for number in range(MANY)]
    patient = {"ping_interval": 60.0, "ping_timeout": 60.0}  # these clients answer no pings
    with running_fleet(tmp_path, dict.fromkeys(names, "data_node"), **patient) as fleet:
        uris = fleet.settings.uris
        with fleet.router.client("cli", timeout=60) as ours, fleet.router.client("bridge", timeout=60) as existing:
            ours.subscribe(uris.news)
            for topic in (uris.added, uris.subtracted):
                existing.subscribe(topic)
            fleet.node("house", HOUSE)
            heard: list[tuple[str, str]] = []
            events = 0
            while len(heard) < MANY:
                heard += [(what, node["name"]) for what, node in ours.receive()[4][0]]
            assert sorted(heard) == sorted(("added", name) for name in names)
            fleet.kill("house")
            heard = []
            while len(heard) < MANY:
                news = ours.receive()[4][0]
                events += 1
                heard += [(what, node["name"]) for what, node in news]
            assert sorted(heard) == sorted(("subtracted", name) for name in names)
            assert events < MANY / 2
            each = [existing.receive()[4][0] for _ in range(2 * MANY)]
            assert [node["name"] for node in each[MANY:]] == [name for _, name in heard]
            assert sorted(node["name"] for node in each[:MANY]) == sorted(names)
            assert all(set(node) == {"name", "description"} for node in each)
            assert {node["description"] for node in each} == {f"Number {number}." for number in range(MANY)}
