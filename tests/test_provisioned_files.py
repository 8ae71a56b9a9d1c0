"""Files that Grafana reads: written whole, known as ours, left alone where somebody edited them."""

import json
from pathlib import Path

import yaml

from sisock.grafana import yaml as ours
from sisock.grafana.marking import as_json, as_yaml, is_ours
from sisock.grafana.provisioning import remove, write
from sisock.grafana.seen import seen
from tests.provisioned import HOST, provisioned


def test_yaml_reads_back_as_it_was_written():
    odd = [
        "",
        "true",
        "No",
        "null",
        "1",
        "1e5",
        "0x1f",
        "- a",
        "a: b",
        "#x",
        "é\u2028\x85\x7f\ufeff😀",
        'q"\\',
        "a\nb\t",
    ]
    data = {
        "texts": odd, "nested": [[1, [2.5]], {"a": {"b": [None, True]}, "c": []}], "empty": {}, "é: #": {"k": "v"},
        "on": -3, "paths": ["/a/b-c", "http://h:1/x", "a b", "$__file{/x}"],
    }  # fmt: skip
    assert yaml.safe_load(ours.dump(data)) == data


def test_our_files_are_known_until_somebody_edits_them():
    page = {"uid": "x", "description": "what it is", "panels": []}
    for text, edited in (
        (as_json(page), as_json(page).replace('"x"', '"y"')),
        (as_json({"uid": "x"}), as_json({"uid": "x"}).replace("Made", "made")),
        (as_yaml({"ab": 1}, "about"), as_yaml({"ab": 1}, "about").replace("ab: 1", "ab: 2")),
    ):
        assert is_ours(text)
        assert not is_ours(edited)
    assert is_ours(json.dumps(json.loads(as_json(page)), indent=4))  # laid out otherwise, the same
    assert not any(map(is_ours, ["", "{", "{}", "[]", '{"description": 5}', "# a comment", "{" * 100_000]))


def test_files_are_written_whole_only_where_they_changed_and_never_where_they_are_not_ours(tmp_path: Path):
    texts = provisioned()
    assert set(write(tmp_path, texts).changed) == set(texts)
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()} == set(texts)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    assert write(tmp_path, texts) == ((), ())
    assert {p: p.stat().st_mtime_ns for p in before} == before

    mine = tmp_path / "dashboards/sisock-node-host.json"
    mine.write_text(mine.read_text().replace("sisock: host", "my own host"))
    foreign = tmp_path / "datasources/sisock.yaml"
    foreign.write_bytes(b"apiVersion: 1\n# \xff mine")
    kept = mine.read_bytes(), foreign.read_bytes()
    other = provisioned(nodes=[seen("host", "another description", HOST)])
    written = write(tmp_path, {**other, "datasources/sisock.yaml": "new"})
    assert set(written.edited) == {"dashboards/sisock-node-host.json", "datasources/sisock.yaml"}
    assert (mine.read_bytes(), foreign.read_bytes()) == kept
    assert (tmp_path / "dashboards/sisock-node-old.json").exists()  # of a node that is there no more


def test_the_dashboard_of_a_node_that_is_away_stays_as_it_is(tmp_path: Path):
    name = "dashboards/sisock-node-host.json"
    write(tmp_path, {name: "{}"}, {name})
    assert (tmp_path / name).read_text() == "{}"
    texts = provisioned()
    (tmp_path / name).write_text(texts[name])
    changed = {**texts, name: texts[name].replace("this machine", "what is kept of it")}
    assert name not in write(tmp_path, changed, {name}).changed
    assert (tmp_path / name).read_text() == texts[name]


def test_the_dashboard_of_a_node_that_few_may_see_is_removed_unless_somebody_edited_it(tmp_path: Path):
    texts = provisioned()
    write(tmp_path, texts)
    names = [f"dashboards/sisock-node-{name}.json" for name in ("host", "old", "none")]
    mine = tmp_path / names[1]
    mine.write_text(mine.read_text().replace("sisock: old", "mine"))
    assert remove(tmp_path, names) == ((names[0],), (names[1],))
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()} == set(texts) - {names[0]}
    assert remove(tmp_path, names) == ((), (names[1],))
