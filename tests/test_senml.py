"""SenML as RFC 8428 describes it, and other payloads of devices: what they mean, and what is refused."""

import json

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_nodes import parity, readings, senml
from data_nodes.readings import Hints, Unreadable

NOW = 1_763_000_000 * 10**9
S = 10**9


def resolved(*records):
    return senml.from_json(json.dumps(records).encode(), NOW)[0]


def of(payload, device="k", form=None, hints=Hints()):
    sent = readings.read(payload, form, device, hints, NOW)
    return {name: [(each.name, each.t, each.value) for each in given] for name, given in sent.readings.items()}


def test_base_fields_hold_for_what_follows_and_add_up():
    found = resolved(
        {"bn": "urn:dev:ow:10e2:", "bt": 1.276020076001e9, "bu": "A", "bv": 10, "n": "voltage", "u": "V", "v": 120.1},
        {"n": "current", "t": -5, "v": 1.2},
        {"n": "current", "t": 0.5, "v": 1},
    )
    names = [each.name.removeprefix("urn:dev:ow:10e2:") for each in found]
    assert names == ["voltage", "current", "current"]
    assert [each.value for each in found] == [130.1, 11.2, 11]
    assert [each.units for each in found] == ["V", "A", "A"]
    assert [each.t for each in found] == [1276020076001000000, 1276020071001000000, 1276020076501000000]


def test_small_times_are_from_now_on_and_none_is_now():
    assert [each.t - NOW for each in resolved({"n": "a", "v": 1}, {"n": "a", "v": 1, "t": -60})] == [0, -60 * S]


def test_texts_truths_and_sums():
    found = resolved({"n": "k/door", "vs": "open"}, {"n": "k/light", "vb": True}, {"n": "k/energy", "s": 5, "bs": 2})
    assert [(each.name, each.value) for each in found] == [("k/door", "open"), ("k/light", True), ("k/energy.sum", 7)]


def test_a_record_of_base_fields_alone_is_none():
    assert [each.name for each in resolved({"bn": "k/"}, {"n": "t", "v": 1})] == ["k/t"]


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        ({"n": "a", "vd": "aGk"}, "it has data"),
        ({"n": "a"}, "it has no value"),
        ({"n": "a", "v": 1, "vs": "b"}, "it has v and vs"),
        ({"n": "a b", "v": 1}, "no name of SenML"),
        ({"n": "", "v": 1}, "no name of SenML"),
        ({"n": "a", "v": "1"}, "v is no number"),
        ({"n": "a", "v": True}, "v is no number"),
        ({"n": "a", "vs": 1}, "vs is not a text"),
        ({"n": "a", "vb": 1}, "vb is not true or false"),
        ({"n": "a", "v": 1, "t": 1e30}, "is no time"),
        ({"n": 7, "v": 1}, "n is no text"),
    ],
)
def test_a_record_that_is_none_is_refused_and_the_others_are_kept(record, sentence):
    found, refused = senml.from_json(json.dumps([record, {"n": "good", "v": 1}]).encode(), NOW)
    assert [each.name for each in found] == ["good"]
    assert len(refused) == 1
    assert refused[0].startswith("record 1: ")
    assert sentence in refused[0]


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (b"[]", "an array of records"),
        (b'{"n":"a"}', "an array of records"),
        (b"[1]", "record 1 is no map"),
        (b"[" * 100_000, "no JSON"),
        (b'[{"n":"a","v":NaN}]', "no JSON"),
        (b'[{"n":"a","v":1,"must_":1}]', "has to be understood"),
        (b'[{"bver":11,"n":"a","v":1}]', "up to 10 is understood"),
        (b"\xff", "no JSON"),
    ],
)
def test_a_pack_that_is_none_is_refused(payload, sentence):
    with pytest.raises(Unreadable, match=sentence):
        senml.from_json(payload, NOW)


@pytest.mark.parametrize("number", ["1e400", "-1e999999999", "1e-999999999", "9" * 500])
def test_numbers_without_measure_are_refused_at_once(number):
    found, refused = senml.from_json(f'[{{"n":"a","v":{number}}},{{"n":"a","v":1,"t":{number}}}]'.encode(), NOW)
    assert found == []
    assert len(refused) == 2


def test_cbor_means_the_same_as_json():
    pack = [{"bn": "k/", "n": "t", "u": "Cel", "v": 1.5, "t": 5}, {"n": "door", "vs": "open"}, {"n": "l", "vb": False}]
    labels = {"bn": -2, "n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "t": 6}
    packed = cbor2.dumps([{labels[key]: value for key, value in record.items()} for record in pack])
    assert senml.from_cbor(packed, NOW) == senml.from_json(json.dumps(pack).encode(), NOW)


@given(
    st.lists(
        st.builds(
            senml.Reading,
            st.just(""),
            st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9:./_-]{0,20}\Z"),
            st.integers(2**28, 2**32).map(lambda s: s * S),
            st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20), st.booleans()),
            st.sampled_from([None, "°C", "V", "%"]),
        ),
        min_size=1,
    )
)
def test_what_is_written_is_read_as_it_was(given_readings):
    for write, read in ((senml.to_json, senml.from_json), (senml.to_cbor, senml.from_cbor)):
        assert read(write(given_readings), NOW) == (given_readings, [])


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(payload):
    for form in (None, readings.JSON, readings.CBOR, readings.TEXT):
        for device in ("k", None):
            try:
                sent = readings.read(payload, form, device, Hints(), NOW)
            except Unreadable as error:
                assert str(error)
            else:
                assert sent.readings


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["n", "v", "vs", "t", "bt", "bn", "u", "s", "bs", "bver"]) | st.integers(-7, 9), inner)))  # fmt: skip
def test_whatever_cbor_holds_is_read_or_refused(made):
    payload = cbor2.dumps(made)
    try:
        sent = readings.read(payload, readings.CBOR, None, Hints(), NOW)
    except Unreadable:
        return
    for device, given_readings in sent.readings.items():
        readings.frame(device, given_readings)


def test_the_device_is_that_of_the_base_name_or_before_the_last_mark():
    assert of(b'[{"bn":"urn:dev:x:","n":"t","v":1}]', None) == {"urn:dev:x": [("t", NOW, 1)]}
    assert of(b'[{"bn":"urn:dev:x","v":1}]', None) == {"urn:dev:x": [("value", NOW, 1)]}
    assert of(b'[{"n":"hall/k/t","v":1},{"n":"c:t","v":2}]', None) == {"hall/k": [("t", NOW, 1)], "c": [("t", NOW, 2)]}
    with pytest.raises(Unreadable, match="'t' says no device"):
        of(b'[{"n":"t","v":1}]', None)


def test_a_device_that_is_known_has_all_the_names():
    assert of(b'[{"bn":"k/","n":"t","v":1},{"n":"","v":2},{"bn":"urn:k:","n":"t","v":3}]') == {
        "k": [("t", NOW, 1), ("value", NOW, 2), ("urn:k:t", NOW, 3)]
    }


def test_plain_numbers():
    assert of(b" 21.5\n", hints=Hints("t")) == {"k": [("t", NOW, 21.5)]}
    for text in (b"21,5", b"nan", b"inf", b"1_0", b"", b"0x10", b"1 2"):
        with pytest.raises(Unreadable):
            of(text)


def test_odd_parity_of_hundredths():
    assert parity.pairs("3700,0,3710,0,3720,0,") == [(37.0, True), (37.1, True), (37.2, True)]
    assert parity.pairs("3700,0,3708,0,3720,0,") == [(37.0, True), (37.08, False), (37.2, True)]
    assert parity.pairs("-1,1,0,1") == [(-0.01, True), (0.0, True)]
    assert not parity.is_pairs("21,1")  # it may be 21.1
    assert parity.is_pairs("21,0,")
    for text in ("1,0,2,", "1,2,1,0"):
        with pytest.raises(Unreadable):
            parity.pairs(text)


@given(st.lists(st.integers(-(2**15), 2**15 - 1), min_size=2, max_size=9), st.data())
def test_one_flipped_bit_is_always_found_and_never_made_up(values, drawn):
    right = [(value, 1 - (value & 0xFFFFFFFF).bit_count() % 2) for value in values]
    at, bit = drawn.draw(st.integers(0, len(values) - 1)), drawn.draw(st.integers(0, 14))
    wrong = [(value ^ (1 << bit) if each == at else value, one) for each, (value, one) in enumerate(right)]
    text = "".join(f"{value},{one}," for value, one in wrong)
    found = [each[2] for each in of(text.encode())["k"]]
    assert found[::2] == [None if each == at else value / 100 for each, value in enumerate(values)]
    assert found[1::2] == ["bad parity" if each == at else "ok" for each in range(len(values))]


def test_pairs_are_a_time_apart_and_the_last_is_now():
    assert [each[1] - NOW for each in of(b"1,0,2,0,", hints=Hints(every=2))["k"][::2]] == [-2 * S, 0]
    assert [each[1] - NOW for each in of(b"1,0,2,0,")["k"][::2]] == [-1, 0]


def test_a_frame_has_a_row_for_each_time_and_two_where_a_name_comes_twice():
    sent = readings.read(
        b'[{"n":"a","v":1,"t":-1},{"n":"b","v":2},{"n":"a","v":3},{"n":"a","v":4}]', None, "k", Hints(), NOW
    )
    frame, refused = readings.frame("k", sent.readings["k"])
    assert refused == []
    assert (frame.timeline, [t - NOW for t in frame.t.tolist()]) == ("k", [-S, 0, 0])
    assert frame.columns["k/a"].values.tolist() == [1, 3, 4]
    assert frame.columns["k/b"].present().tolist() == [False, True, False]


def test_a_name_with_values_of_two_kinds_is_refused_and_the_others_are_kept():
    sent = readings.read(b'[{"n":"a","v":1},{"n":"a","vs":"x"},{"n":"b","v":2}]', None, "k", Hints(), NOW)
    frame, refused = readings.frame("k", sent.readings["k"])
    assert list(frame.columns) == ["k/b"]
    assert "are not of one type" in refused[0]


def test_what_has_no_units_is_written_without():
    written = json.loads(
        senml.to_json(resolved({"n": "door", "vs": "open", "t": 2e9}, {"n": "t", "u": "Cel", "v": 1, "t": 2e9}))
    )
    assert written == [{"n": "door", "vs": "open", "t": 2e9}, {"n": "t", "u": "Cel", "v": 1, "t": 2e9}]


def test_a_pack_of_nothing_is_told_as_that():
    with pytest.raises(Unreadable, match="nothing was sent"):
        of(b"", form=readings.JSON)
