"""Devices behind a gateway: numbers that come once, late, twice or never, and what is known of them after a restart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sisock.nodes.devices import DeviceRefused, Devices, check_device
from sisock.nodes.numbers import Numbers

NOW = 1_763_000_000 * 10**9


def sent(*numbers, boot="", device=None):
    device = device or Devices().meet("kitchen", NOW)
    return device, [device.take(number, boot) for number in numbers]


def test_each_number_is_taken_once_and_a_late_one_closes_its_gap():
    device, verdicts = sent(1, 2, 4)
    assert (device.gaps, device.missing) == (1, 1)
    verdicts += sent(4, 3, device=device)[1]
    assert verdicts == ["new", "new", "new", "duplicate", "late"]
    assert (device.received, device.duplicates, device.late, device.gaps, device.missing) == (4, 1, 1, 1, 0)


@given(st.permutations(range(8)), st.lists(st.integers(0, 7), max_size=8))
def test_in_whatever_order_they_come_each_is_taken_exactly_once(order, again):
    device, verdicts = sent(*order, *again)
    assert [verdict == "duplicate" for verdict in verdicts] == [False] * 8 + [True] * len(again)
    assert device.missing == 0


@given(st.lists(st.integers(0, 200), min_size=1))
def test_the_numbers_are_those_of_a_set(numbers):
    device, verdicts = sent(*numbers, boot="b")
    seen = set()
    for number, verdict in zip(numbers, verdicts, strict=True):
        if verdict != "duplicate":  # a duplicate may also be of a gap so old that it was given up
            assert number not in seen
        seen.add(number)
    assert device.missing <= max(seen) - min(seen) + 1 - len(seen)


def test_gaps_are_bounded_and_what_comes_of_one_that_was_given_up_is_not_taken_for_new():
    numbers = Numbers(0, 0)
    for number in range(2, 200, 2):
        numbers.take(number)
    assert len(numbers.gaps) == 32
    assert [numbers.take(1), numbers.take(197)] == ["duplicate", "late"]


def test_a_device_that_starts_again_counts_anew_by_its_boot_id_or_from_0_or_1():
    device, _ = sent(*range(1, 101), boot="a")
    assert sent(1, 2, boot="b", device=device)[1] == ["new", "new"]
    assert sent(100, 101, boot="a", device=device)[1] == ["duplicate", "new"]
    silent, _ = sent(*range(1, 101))
    assert sent(1, 2, 2, device=silent)[1] == ["new", "new", "duplicate"]
    assert (device.restarts, silent.restarts) == (1, 1)


def test_what_comes_again_soon_is_no_new_start():
    assert sent(1, 2, 3, 1)[1][-1] == "duplicate"


def test_only_the_latest_boots_are_remembered():
    device = Devices().meet("kitchen", NOW)
    for boot in "abcdef":
        device.take(1, boot)
    assert list(device.boots) == ["c", "d", "e", "f"]


def test_without_a_number_everything_is_new():
    device = Devices().meet("kitchen", NOW)
    assert [device.take(), device.take()] == ["new", "new"]
    assert (device.received, device.missing) == (2, 0)


def test_what_could_not_be_kept_is_taken_when_it_comes_again():
    device, _ = sent(1, 2, 3)
    device.forget(2)
    assert (device.missing, device.received) == (1, 2)
    assert sent(2, 2, device=device)[1] == ["late", "duplicate"]


def test_after_a_restart_all_is_known_again():
    devices = Devices()
    device = devices.meet("hall/kitchen", NOW)
    sent(1, 2, 4, 4, boot="b", device=device)
    device.in_units("t", "°C")
    notes = devices.notes_of("hall/kitchen")
    again = Devices({**notes, "other": "note"})
    assert dict(again) == {"hall/kitchen": device}
    assert sent(4, 3, boot="b", device=again["hall/kitchen"])[1] == ["duplicate", "late"]
    assert set(devices.notes_of("hall/kitchen")) == {"device/hall/kitchen"}  # the units are noted once


@pytest.mark.parametrize(
    "note",
    [
        "",
        "[]",
        '{"boots": 7}',
        '{"first": 1, "seen": 1, "boots": {}, "foreign": 2}',
        '{"first": [], "seen": 1, "boots": {}}',
        '{"first": 1e999, "seen": 1, "boots": {}}',
    ],
)
def test_a_note_that_cannot_be_read_costs_no_other(note):
    devices = Devices()
    devices.meet("sound", NOW)
    assert set(Devices({"device/bad": note, **devices.notes_of("sound")})) == {"sound"}


def test_units_stay():
    device = Devices().meet("kitchen", NOW)
    assert [device.in_units("t", None), device.in_units("t", "°C"), device.in_units("t", None)] == [None, "°C", "°C"]
    with pytest.raises(DeviceRefused, match="'t' was in °C before, and came in K: give it another name"):
        device.in_units("t", "K")


def test_there_are_no_more_devices_than_wanted():
    devices = Devices(most=1)
    devices.meet("a", NOW)
    with pytest.raises(DeviceRefused, match="there are 1 devices already"):
        devices.meet("b", NOW)
    assert devices.meet("a", NOW + 1).seen == NOW + 1
    assert list(devices) == ["a"]


@pytest.mark.parametrize("name", ["kitchen", "urn:dev:ow:10e2073a01080063", "hall2/kitchen", "a.b-c_d"])
def test_names_of_devices(name):
    assert check_device(name) == name


@pytest.mark.parametrize("name", ["", "a::b", "health", "a/../b", "/a", "a/", "a//b", "ä", "a b", "x" * 101, "a\n"])
def test_names_that_cannot_be_of_a_device_are_refused_with_the_cure(name):
    with pytest.raises(DeviceRefused, match="use 1 to 100 letters"):
        check_device(name)


@pytest.mark.parametrize(("number", "boot"), [(-1, ""), (2**63, ""), (1, "b" * 65)])
def test_impossible_numbers_and_boot_ids_are_refused(number, boot):
    with pytest.raises(DeviceRefused):
        Devices().meet("kitchen", NOW).take(number, boot)
