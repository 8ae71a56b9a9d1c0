"""What could not be taken: kept with the reason, counted, bounded, and shown."""

import json
import os
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner

from sisock.cli import main
from sisock.store import quarantine as kept
from sisock.store.quarantine import Quarantine

NOW = 1_763_000_000 * 10**9


def held(folder, name="coap"):
    return [(each.source, each.reason, each.payload) for each in kept.latest(folder, name, 100_000)]


def test_what_is_added_is_there_with_reason_and_time_once_it_is_written(tmp_path):
    quarantine = Quarantine(tmp_path, "coap", clock=lambda: NOW)
    quarantine.add("kitchen", "no CBOR", b"\xff\x00")
    quarantine.add("kitchen", "no CBOR", "text")
    quarantine.write()
    assert kept.latest(tmp_path, "coap", 5) == [
        (1, NOW, "kitchen", "no CBOR", 2, b"\xff\x00"),
        (2, NOW, "kitchen", "no CBOR", 4, b"text"),
    ]
    assert kept.counts(tmp_path, "coap") == [("kitchen", "no CBOR", 2, NOW, NOW)]
    assert (quarantine.count, kept.names(tmp_path)) == (2, ["coap"])


def test_counts_go_on_after_a_restart(tmp_path):
    for t in (NOW, NOW + 1):
        quarantine = Quarantine(tmp_path, "coap", clock=lambda t=t: t)
        quarantine.add("a", "why")
        quarantine.write()
    assert kept.counts(tmp_path, "coap") == [("a", "why", 2, NOW, NOW + 1)]


def test_a_flood_is_counted_to_the_last_and_kept_in_bounds(tmp_path):
    quarantine = Quarantine(tmp_path, "coap")
    threads = [threading.Thread(target=lambda: [quarantine.add("a", "why", b"x") for _ in range(2000)]) for _ in "123"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    quarantine.write()
    assert (quarantine.count, kept.counts(tmp_path, "coap")[0].n) == (6000, 6000)
    assert len(held(tmp_path)) == 1000


def test_of_large_ones_the_beginning_is_kept_and_the_oldest_goes(tmp_path):
    quarantine = Quarantine(tmp_path, "coap")
    for number in range(600):
        quarantine.add("a", "too large", bytes([number % 256]) * 100_000)
    quarantine.write()
    latest = kept.latest(tmp_path, "coap", 1000)
    assert {(each.size, len(each.payload)) for each in latest} == {(100_000, 65_536)}
    assert 200 < len(latest) < 260
    assert latest[-1].payload[0] == 599 % 256


def test_of_whom_nothing_is_kept_but_the_name_pushes_nothing_out(tmp_path):
    quarantine = Quarantine(tmp_path, "coap")
    for number in range(1500):
        quarantine.add(f"stranger {number}", "it has no token")
    quarantine.add("kitchen", "no CBOR", b"what it sent")
    for _ in range(30):
        for number in range(100):
            quarantine.add(f"stranger {number}", "it has no token")
        quarantine.write()
    rows = held(tmp_path)
    assert ("kitchen", "no CBOR", b"what it sent") in rows
    assert len(rows) == 1001
    assert rows[-1] == ("stranger 99", "it has no token", b"")
    assert sum(each.n for each in kept.counts(tmp_path, "coap")) == 4501


def test_so_many_sources_are_counted_together_as_others(tmp_path):
    quarantine = Quarantine(tmp_path, "coap")
    for rounds in range(2):
        for number in range(1500):
            quarantine.add(f"device {number + rounds}", "why")
        quarantine.write()
    counts = kept.counts(tmp_path, "coap")
    assert sum(each.n for each in counts) == 3000
    assert len(counts) <= 1001
    assert counts[0].source == "others"


def test_what_cannot_be_shown_becomes_a_question_mark(tmp_path):
    quarantine = Quarantine(tmp_path, "coap")
    quarantine.add("a\x1b[2J", "half \ud800 a pair\n", "\ud800")
    quarantine.write()
    assert held(tmp_path) == [("a?[2J", "half ? a pair?", b"?")]


def test_without_a_place_on_disk_it_counts(tmp_path, caplog):
    nowhere = Quarantine(None, "coap")
    nowhere.add("a", "why")
    nowhere.write()
    assert nowhere.count == 1
    (tmp_path / "quarantine").write_text("a file in its way")
    quarantine = Quarantine(tmp_path, "coap")
    for _ in range(2):
        quarantine.add("a", "why")
        quarantine.write()
    assert quarantine.count == 2
    assert [record.message.split(":")[0] for record in caplog.records] == ["coap"]


def test_what_the_disk_does_not_take_waits_until_it_does(tmp_path):
    (tmp_path / "quarantine").write_text("a file in its way")
    quarantine = Quarantine(tmp_path, "coap")
    for number in range(2000):
        quarantine.add("a", "why", str(number))
        if not number % 500:
            quarantine.write()
    (tmp_path / "quarantine").unlink()
    quarantine.write()
    assert held(tmp_path) == [("a", "why", str(number).encode()) for number in range(1000)]
    assert [each.n for each in kept.counts(tmp_path, "coap")] == [2000]


# the command


@pytest.fixture
def run(tmp_path):
    quarantine = Quarantine(tmp_path, "coap", clock=lambda: NOW)
    quarantine.add("kitchen", "no CBOR", b"\xff\x00" + b"long" * 30)
    quarantine.add("", "no JSON", b"{\n")
    quarantine.write()
    return lambda *words: CliRunner().invoke(main, ["quarantine", "--state", str(tmp_path), *words])


def test_the_command_shows_counts_and_the_latest(run):
    lines = run().output.splitlines()
    assert lines[0] == "coap: 2 refused"
    assert sorted(line.split("×")[1].split("  (")[0] for line in lines[1:3]) == [" kitchen: no CBOR", " no JSON"]
    assert lines[4].split("Z  ")[1] == "kitchen: no CBOR: \\xff\\x00" + "long" * 14 + "lo…"
    assert lines[5].split("Z  ")[1] == "no JSON: {\\n"


def test_the_command_ends_with_the_reason_where_nothing_came_with_it(run, tmp_path):
    kept.clear(tmp_path, "coap")
    quarantine = Quarantine(tmp_path, "coap", clock=lambda: NOW)
    quarantine.add("kitchen", "another key")
    quarantine.write()
    assert run().output.splitlines()[-1].endswith("kitchen: another key")


def test_the_command_gives_json_and_the_payload_itself(run):
    found = json.loads(run("--json", "coap").output)["coap"]
    assert [each["reason"] for each in found["latest"]] == ["no CBOR", "no JSON"]
    assert run("coap", "--payload", "2").stdout_bytes == b"{\n"


def test_the_command_clears_once_the_cause_is_mended(run):
    assert run("--clear").exit_code == 0
    assert run().output.splitlines() == ["coap: 0 refused"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["cellar"], 3, "nothing of 'cellar' is in quarantine: there is coap"),
        (["coap", "--payload", "99"], 3, "coap has no number 99 in quarantine (any more)"),
        (["coap", "--last", "-1"], 2, "-1 is not in the range"),
    ],
)
def test_the_command_says_what_is_wrong(run, words, code, said):
    result = run(*words)
    assert result.exit_code == code
    assert said in result.output


def test_who_reads_no_further_hears_of_no_failure(run, tmp_path):
    assert run().exit_code == 0
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-m", "sisock", "quarantine", "--state", str(tmp_path)]
    with os.fdopen(writes, "wb") as gone:
        assert subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, check=False).stderr == b""


def test_a_machine_without_any_says_so(tmp_path):
    assert CliRunner().invoke(main, ["quarantine", "--state", str(tmp_path)]).output == "nothing is in quarantine\n"


def test_what_one_source_was_refused_is_forgotten_where_it_comes_again(tmp_path):
    refusals = Quarantine(tmp_path, "coap")
    for source in ("a", "b"):
        refusals.add(source, "reason", b"1")
    refusals.write()
    kept.forget(tmp_path, "coap", "a")
    kept.forget(tmp_path, "nobody", "a")
    assert held(tmp_path) == [("b", "reason", b"1")]
    assert [each.source for each in kept.counts(tmp_path, "coap")] == ["b"]
    assert kept.names(tmp_path) == ["coap"]


def test_who_writes_last_returns_when_what_another_thread_writes_is_on_disk_too(tmp_path, monkeypatch):
    refusals, begun, go_on = Quarantine(tmp_path, "n"), threading.Event(), threading.Event()
    insert = kept._insert

    def slowly(*given):
        begun.set()
        go_on.wait(30)
        insert(*given)

    monkeypatch.setattr(kept, "_insert", slowly)
    refusals.add("source", "reason", b"1")
    first, last = threading.Thread(target=refusals.write), threading.Thread(target=refusals.write)
    first.start()
    assert begun.wait(30)
    last.start()
    assert last.is_alive()
    go_on.set()
    last.join(30)
    assert [each.n for each in kept.counts(tmp_path, "n")] == [1]
    first.join(30)
