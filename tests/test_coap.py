"""A CoAP gateway, spoken to by libcoap's client and by aiocoap's: what devices send becomes samples."""

import asyncio
import json

import aiocoap
import cbor2
import pytest
from aiocoap import Message

from data_nodes.coap import transport
from data_nodes.coap.node import Coap
from data_nodes.coap.pace import Pace
from sisock.store import quarantine
from tests.coap import ask, clients, gateway, libcoap, send
from tests.nodes import data

PACK = '[{"bn":"urn:dev:ow:10e2:","n":"voltage","u":"V","v":120.1},{"n":"current","u":"A","v":1.2}]'


async def test_a_number_of_libcoaps_client_is_a_sample_with_its_units(tmp_path):
    async with gateway(tmp_path) as at:
        said = await libcoap(at.uri("/ingest/kitchen?n=temperature&u=Cel"), "-m", "post", "-e", "21.5")
        assert said.code == "2.04"
        assert await data(at.service, "kitchen/temperature") == {"kitchen/temperature": [21.5]}
        fields, _ = await at.service.get_fields(0, 0)
        assert (fields["kitchen/temperature"].units, fields["kitchen/temperature"].timeline) == ("°C", "kitchen")


async def test_a_pack_of_libcoaps_client_over_ipv6_names_its_device(tmp_path):
    async with gateway(tmp_path) as at:
        said = await libcoap(at.uri("/ingest", "[::1]"), "-m", "put", "-t", "110", "-e", PACK)
        assert said.code == "2.04"
        names = ("urn:dev:ow:10e2/voltage", "urn:dev:ow:10e2/current")
        assert await data(at.service, *names) == {names[0]: [120.1], names[1]: [1.2]}


async def test_a_large_pack_comes_in_blocks(tmp_path):
    pack = [
        {"bn": "kitchen/", "n": "t", "bt": 1_700_000_000, "v": 0},
        *({"n": "t", "t": i, "v": i} for i in range(1, 200)),
    ]
    (tmp_path / "pack").write_text(json.dumps(pack))
    async with gateway(tmp_path) as at:
        said = await libcoap(at.uri("/ingest"), "-m", "post", "-t", "110", "-b", "64", "-f", str(tmp_path / "pack"))
        assert said.code == "2.04"
        assert (await data(at.service, "kitchen/t"))["kitchen/t"] == list(range(200))


async def test_what_is_larger_than_allowed_is_refused_before_it_is_whole(tmp_path):
    async with gateway(tmp_path, payload=2000) as at, clients() as context:
        assert (await ask(context, at.uri("/ingest/k"), "1" * 5000)).code == "4.13"
        assert (await ask(context, at.uri("/ingest/k"), "1")).code == "2.04"


async def test_cbor_by_its_format_and_by_its_first_byte(tmp_path):
    async with gateway(tmp_path) as at, clients() as context:
        cbor = cbor2.dumps([{0: "v", 1: "V", 2: 1.5}])
        assert (await ask(context, at.uri("/ingest/kitchen"), cbor, content_format=112)).code == "2.04"
        assert (await ask(context, at.uri("/ingest/kitchen"), cbor)).code == "2.04"
        assert (await data(at.service, "kitchen/v"))["kitchen/v"] == [1.5, 1.5]


async def test_pairs_with_a_bad_parity_are_missing_flagged_and_counted(tmp_path):
    async with gateway(tmp_path) as at:
        said = await send(at.uri("/ingest/sense?n=t&u=Cel&every=1"), "3700,0,3708,0,3720,0,")
        assert said == ("2.04", "kept; refused: 1 of 3 values have a bad parity")
        await at.published.until(lambda frames: any(_first(frame, "bad parity") == 1 for frame in frames))
        found = await data(at.service, "sense/t", "sense/t.quality")
    assert found == {"sense/t": [37.0, None, 37.2], "sense/t.quality": ["ok", "bad parity", "ok"]}
    assert [each.payload for each in quarantine.latest(tmp_path, "coap", 9)] == [b"3700,0,3708,0,3720,0,"]


def _first(frame, name):
    return frame.columns[name].values[0] if name in frame.columns else None


@pytest.mark.parametrize(
    ("path", "payload", "sentence"),
    [
        ("/ingest/k", "warm", "'warm' is no number: send a number as 21.5"),
        ("/ingest/k", "[1]", "record 1 is no map"),
        ("/ingest/k", "[{", "this is no JSON"),
        ("/ingest/k", '[{"n":"a","vd":"aa"}]', "it has data (vd), which no curve can show"),
        ("/ingest", "21.5", "says no device: give a base name (bn), or post to /ingest/<device>"),
        ("/ingest/k?sequence=1", "1", "'sequence' is not understood in a query"),
        ("/ingest/k?seq=one", "1", "seq=one is no number"),
        ("/ingest/health", "1", "cannot name a device"),
        ("/ingest?seq=1", '[{"n":"a/x","v":1},{"n":"b/x","v":1}]', "a number belongs to one device"),
    ],
)
async def test_what_cannot_be_understood_is_refused_with_the_cure(tmp_path, path, payload, sentence):
    async with gateway(tmp_path) as at:
        said = await send(at.uri(path), payload)
        assert (said.code, sentence in said.text) == ("4.00", True), said


async def test_what_is_refused_is_in_quarantine(tmp_path):
    async with gateway(tmp_path) as at:
        await send(at.uri("/ingest/kitchen"), "warm")
    (one,) = quarantine.latest(tmp_path, "coap", 9)
    assert (one.source, one.payload, one.reason[:18]) == ("kitchen", b"warm", "'warm' is no numbe")


@pytest.mark.parametrize(
    ("path", "payload", "code"),
    [
        ("/ingest/k", "warm", "4.00"), ("/ingest/k?seq=many", "1", "4.00"), ("/ingest/k", "1" * 101, "4.13"),
        ("/ingest/k", '[{"n":"a","v":1},{"n":"a","vs":"x"}]', "4.00"),
    ],
)  # fmt: skip
async def test_what_is_refused_is_in_quarantine_on_disk_before_its_sender_is_told(tmp_path, path, payload, code):
    async with gateway(tmp_path, payload=100, interval=3600.0) as at:
        assert (await send(at.uri(path), payload)).code == code
        assert sum(each.n for each in quarantine.counts(tmp_path, "coap")) == 1


async def test_what_is_no_message_at_all_is_in_quarantine_too_but_not_what_strangers_send(tmp_path):
    async with gateway(tmp_path, payload=2000, most=1) as at, clients() as context:
        assert (await ask(context, at.uri("/ingest/k?seq=many"), "1")).code == "4.00"
        assert (await ask(context, at.uri("/ingest/k"), "1", content_format=9999)).code == "4.00"
        assert (await ask(context, at.uri("/ingest/k"), "1" * 5000)).code == "4.13"
        assert (await ask(context, at.uri("/ingest/k"), "1")).code == "2.04"
        assert (await ask(context, at.uri("/ingest/another"), "1")).code == "4.00"
    reasons = [each.reason for each in quarantine.latest(tmp_path, "coap", 9)]
    for reason, said in zip(reasons, ("seq=many", "9999", "2000 bytes", "1 devices already"), strict=True):
        assert said in reason
    async with gateway(tmp_path / "closed", unknown="token") as at, clients() as context:
        assert (await ask(context, at.uri("/ingest/k?seq=many"), "1")).code == "4.00"
    assert quarantine.names(tmp_path / "closed") == []


async def test_a_field_keeps_its_kind_and_its_units(tmp_path):
    async with gateway(tmp_path) as at, clients() as context:
        uri = at.uri("/ingest/k")
        assert (
            await ask(context, uri, '[{"n":"t","u":"Cel","v":1},{"n":"d","vs":"open"},{"n":"l","vb":true}]')
        ).code == "2.04"
        kelvin = await ask(context, uri, '[{"n":"t","u":"K","v":274}]')
        assert kelvin == ("4.00", "'t' was in °C before, and came in K: give it another name")
        assert (await ask(context, uri, '[{"n":"d","v":1}]')).code == "4.00"
        assert await data(at.service, "k/t", "k/d", "k/l") == {"k/t": [1], "k/d": ["open"], "k/l": [True]}


async def test_other_paths_methods_formats_and_options_are_refused(tmp_path):
    async with gateway(tmp_path) as at, clients() as context:
        assert (await ask(context, at.uri("/other"), "1")).code == "4.04"
        assert (await ask(context, at.uri("/ingest/k"), code=aiocoap.DELETE)).code == "4.05"
        assert (await ask(context, at.uri("/ingest/k"), "1", content_format=41)).code == "4.00"
        assert (await ask(context, at.uri("/ingest/k"), "1", if_none_match=True)).code == "4.02"
        assert (await ask(context, at.uri("/ingest/k"), "1")).code == "2.04"
        assert (await ask(context, at.uri("/ingest/k"), code=aiocoap.GET, accept=41)).code == "4.06"


async def test_it_lists_its_resources_and_filters_them(tmp_path):
    async with gateway(tmp_path) as at:
        await send(at.uri("/ingest/kitchen"), "1")
        everything = (await libcoap(at.uri("/.well-known/core"), "-m", "get")).text
        assert '</ingest>;rt="sisock.ingest";ct="110 112 0"' in everything
        assert '</ingest/kitchen>;rt="sisock.device";ct="110 112 0";obs' in everything
        devices = (await send(at.uri("/.well-known/core?rt=sisock.device"), code=aiocoap.GET)).text
        assert devices == '</ingest/kitchen>;rt="sisock.device";ct="110 112 0";obs'
        assert (await send(at.uri("/.well-known/core?ct=112"), code=aiocoap.GET)).text.count("</") == 2


async def test_what_a_device_sent_last_can_be_read_and_watched(tmp_path):
    async with gateway(tmp_path) as at, clients() as context:
        uri = at.uri("/ingest/kitchen")
        assert (await ask(context, uri, code=aiocoap.GET)).code == "4.04"
        await ask(context, uri, '[{"n":"t","u":"Cel","t":1700000000,"v":1}]')
        (record,) = json.loads((await ask(context, uri, code=aiocoap.GET)).text)
        assert record == {"n": "kitchen/t", "u": "Cel", "t": 1700000000, "v": 1}
        watching = context.request(Message(code=aiocoap.GET, uri=uri, observe=0))
        assert json.loads((await watching.response).payload)[0]["v"] == 1
        changes = aiter(watching.observation)
        change = asyncio.ensure_future(anext(changes))
        await ask(context, uri, '[{"n":"t","v":2}]')
        (record,) = json.loads((await asyncio.wait_for(change, 30)).payload)
        assert (record["v"], record["u"]) == (2, "Cel")
        watching.observation.cancel()


async def test_it_tells_how_many_devices_there_are_and_how_long_each_was_silent(tmp_path):
    async with gateway(tmp_path) as at:
        await send(at.uri("/ingest/kitchen"), "1")
        frames = await at.published.until(lambda frames: any(_first(frame, "devices") == 1 for frame in frames))
        last = [frame for frame in frames if "devices" in frame.columns][-1]
        assert 0 <= last.columns["silent/kitchen"].values[0] < 60


async def test_there_are_no_more_devices_than_wanted(tmp_path):
    async with gateway(tmp_path, most=1) as at:
        assert (await send(at.uri("/ingest/a"), "1")).code == "2.04"
        refused = await send(at.uri("/ingest/b"), "1")
        assert (refused.code, refused.text[:30]) == ("4.00", "there are 1 devices already: r")


async def test_a_device_has_no_more_fields_than_may_be_and_takes_none_of_others(tmp_path):
    pack = json.dumps([{"n": f"f{number}", "v": number} for number in range(250)])
    async with gateway(tmp_path) as at, clients() as context:
        said = await ask(context, at.uri("/ingest/k"), pack)
        assert (said.code, "k has 200 fields, which is the most: 'f200' is left out" in said.text) == ("2.04", True)
        assert (await data(at.service, "k/f199"))["k/f199"] == [199]
        assert (await ask(context, at.uri("/ingest/k"), '[{"n":"f250","v":1}]')).code == "4.00"
        assert (await ask(context, at.uri("/ingest/other"), '[{"n":"f250","v":1}]')).code == "2.04"


async def test_a_port_that_another_has_is_told(tmp_path):
    async with gateway(tmp_path) as at:
        with pytest.raises(OSError, match=rf"CoAP cannot listen at \[::1\]:{at.port}"):
            async with transport.listening(None, ["127.0.0.1", "::1"], at.port, Pace(0), lambda: None):
                pass


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="unknown = 'any': use one of open, token, closed"):
        Coap(unknown="any")
    with pytest.raises(ValueError, match="port is from 1 to 65535"):
        Coap(port=0)
