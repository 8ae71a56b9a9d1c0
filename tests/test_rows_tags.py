"""Entity tags: who has an answer is told that it is still the same, by whom it may be known, and no other."""

import pytest

from grafana_json.app import create_app
from grafana_json.directory import Directory
from grafana_json.rows.tags import LASTING, Tags
from sisock.keys.api_tokens import ApiToken
from sisock.settings import Settings
from sisock.times import NS
from tests.memory import MONDAY, Memory, memory

PAST = "/api/data?target=host::cpu&from=2026-02-02T00:10:00Z&to=2026-02-02T00:20:00Z&points=10"
WHOLE = "/api/data?target=weather::wind&from=2026-02-02&to=2026-02-02T00:10:00Z"  # nothing came after it
SECRET = "x" * 43


class Visit(Memory):
    """What one who came with a token sees."""

    refused = False

    def close(self):
        pass


def ask(client, url, tag=None, **headers):
    given = headers if tag is None else {"If-None-Match": tag, **headers}
    return client.get(url, headers=given)


def test_an_answer_that_cannot_change_is_kept_by_browsers_and_not_asked_again(client, source):
    first = ask(client, PAST)
    assert first.headers["Cache-Control"] == f"private, max-age={LASTING}, immutable"
    source.asked.clear()
    again = ask(client, PAST, first.headers["ETag"])
    assert (again.status_code, again.data, source.asked) == (304, b"", [])
    assert (again.headers["ETag"], again.headers["Cache-Control"]) == (
        first.headers["ETag"],
        first.headers["Cache-Control"],
    )
    assert set(again.vary) == set(first.vary)
    assert "Content-Length" not in again.headers


def test_what_the_node_says_is_final_needs_no_later_sample(client, source):
    assert ask(client, WHOLE).headers["Cache-Control"] == "private, no-cache"
    source.final["weather"] = (MONDAY + 600) * NS
    assert "immutable" in ask(client, WHOLE).headers["Cache-Control"]
    source.final["weather"] -= 1
    assert ask(client, WHOLE).headers["Cache-Control"] == "private, no-cache"


def test_an_answer_that_can_change_is_asked_again_and_told_apart(client, source):
    first = ask(client, WHOLE)
    source.asked.clear()
    assert ask(client, WHOLE, first.headers["ETag"]).status_code == 304
    assert source.asked
    source.frames["weather"][1].columns["wind"].values[0] = 7
    changed = ask(client, WHOLE, first.headers["ETag"])
    assert (changed.status_code, changed.json[0]["value"]) == (200, 7)
    assert changed.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize(
    "url",
    [
        "/api/data?target=host::cpu&points=10",
        "/api/data?target=host::cpu&points=10&from=2026-02-02",
        "/api/data?target=host::cpu&points=10&from=2026-02-02T00:10:00Z&to=2100-01-01",
        PAST + "&target=nobody::x",
        PAST + "&target=host::nothing",
        PAST + "&target=weather::wind",
        "/api/nodes",
        "/api/fields",
        "/api/at?target=host::cpu&t=2026-02-02T00:10:00Z",
    ],
)
def test_what_may_become_another_answer_is_never_immutable(client, url):
    answer = ask(client, url)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "private, no-cache")
    assert ask(client, url, answer.headers["ETag"]).status_code == 304


@pytest.mark.parametrize(
    "other",
    [
        PAST + "1",
        PAST + "&reduce=m4",
        PAST + "&format=csv",
        PAST + "&time=ns",
        PAST + "&shape=wide",
        PAST.replace("cpu", "mem.free"),
        PAST.replace("cpu", "(cpu|mem.free)"),
        PAST.replace("20:00", "20:01"),
    ],
)
def test_a_tag_is_of_one_question_only(client, other):
    tag = ask(client, PAST).headers["ETag"]
    assert ask(client, other, tag).status_code == 200


def test_another_unit_is_another_answer(client, source):
    tag = ask(client, PAST).headers["ETag"]
    fields, frame = source.frames["host"]
    source.frames["host"] = {**fields, "cpu": fields["cpu"]._replace(units="ratio")}, frame
    for callback in source.callbacks:
        callback("added", source.nodes()[0]._replace(name="host"))
    client.get("/api/fields")
    assert ask(client, PAST, tag).json[0]["unit"] == "ratio"


def test_a_tag_that_somebody_made_up_says_nothing(client, source):
    digest, when, code = ask(client, PAST).headers["ETag"].strip('"').split(".")
    for tag in (f"{'0' * 32}.{when}.{code}", f"..{code}", f"{'0' * 32}..", f"{'0' * 32}"):
        source.asked.clear()
        assert ask(client, PAST, f'"{tag}"').status_code == 200
        assert source.asked
    for tag in (f"{digest}.{when}.{'0' * 32}", f"{digest}.{int(when, 16) + 1:x}.{code}", digest):
        source.asked.clear()
        assert ask(client, PAST, f'"{tag}"').status_code == 304
        assert source.asked, "only the node can tell that it is the same"


def test_a_day_later_when_the_asker_was_away_or_the_bridge_was_started_again_a_tag_is_not_believed(source):
    now = [1e9]
    ann, bob, tags = (Directory(source, 1), Directory(source, 1), Tags(lambda: now[0]))
    tag = tags.lasting(ann, "what?", "0" * 32)
    assert tags.find(ann, "what?", ["other", f"{tag}-gzip"]) == f"{tag}-gzip"
    assert tags.find(ann, "what else?", [tag]) is None
    assert tags.find(bob, "what?", [tag]) is None
    assert Tags(lambda: now[0]).find(ann, "what?", [tag]) is None
    now[0] += LASTING - 1
    assert tags.find(ann, "what?", [tag]) == tag
    now[0] += 1
    assert tags.find(ann, "what?", [tag]) is None
    for each in (ann, bob):
        each.close()


def test_a_node_that_is_listed_no_more_is_asked_for(client, source):
    tag = ask(client, PAST).headers["ETag"]
    del source.frames["host"]
    for callback in source.callbacks:
        callback("subtracted", source.nodes()[0])
    client.get("/api/fields")
    assert ask(client, PAST, tag).status_code == 404


def test_weak_and_several_tags_are_understood(client):
    tag = ask(client, PAST).headers["ETag"]
    assert ask(client, PAST, f'"other", W/{tag}, "more"').status_code == 304


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_compressed_answer_has_a_tag_of_its_own_which_is_known_again(client, source, coding):
    url = PAST.replace("points=10", "points=500")
    packed, plain = ask(client, url, **{"Accept-Encoding": coding}), ask(client, url)
    assert packed.headers["Content-Encoding"] == coding
    assert packed.headers["ETag"] != plain.headers["ETag"]
    source.asked.clear()
    again = ask(client, url, packed.headers["ETag"], **{"Accept-Encoding": coding})
    assert (again.status_code, again.headers["ETag"], source.asked) == (304, packed.headers["ETag"], [])
    assert "Content-Encoding" not in again.headers


def test_a_tag_is_worth_nothing_to_another_who_may_see_less(source):
    """Each asker has tags of its own: none learns from another's whether a question was ever answered."""
    seen = {"ann": memory(), "bob": memory()}
    visits = {}

    def connect(token):
        visits[token.name] = Visit(seen[token.name].frames)
        return visits[token.name]

    client = create_app(source, Settings(bridge_deadline=0.5), connect).test_client()
    ann, bob = ({"Authorization": f"Bearer {ApiToken(name, SECRET).name}.{SECRET}"} for name in ("ann", "bob"))
    tag = ask(client, PAST, **ann).headers["ETag"]
    assert ask(client, PAST, tag, **ann).status_code == 304
    visits["ann"].asked.clear()
    ask(client, PAST, tag, **ann)
    assert visits["ann"].asked == []
    assert ask(client, PAST, tag, **bob).status_code == 304  # the same answer, which he may see
    assert visits["bob"].asked, "it is not believed of him: his node was asked"
    del seen["bob"].frames["host"]
    visits["bob"].lose()
    assert ask(client, PAST, tag, **bob).status_code == 404
    assert (
        ask(client, PAST.replace("host", "nobody"), tag, **bob).json["error"].replace("nobody", "host")
        == ask(client, PAST, tag, **bob).json["error"]
    )
    visits["ann"].lose()  # what she may see can be less now
    assert ask(client, PAST, tag, **ann).status_code == 304
    assert visits["ann"].asked
