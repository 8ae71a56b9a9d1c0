"""Slots of tiers: each array is proved by itself, whatever the order of the slots, and lists of the version before are read."""

import struct

import numpy as np
import pytest

from sisock.store.slots import Slots, TornError, run

BLOCK = 8
COLUMNS = [("low", "<f8"), ("high", "<f8"), ("count", "<i8")]
HEAD = struct.Struct("<16sIII4x")
ODD = 0x9E3779B97F4A7C15


@pytest.fixture
def filled(tmp_path):
    """Slots of three fields with four blocks each, in the order in which they were named."""
    slots = Slots(tmp_path, 20, COLUMNS, BLOCK)
    for block in range(4):
        taken = slots.take(3)
        for name, _ in COLUMNS:
            slots.bins[name][taken] = np.random.default_rng(block).normal(size=(3, BLOCK)) * 100
        slots.name(taken, [7, 8, 9], block)
    slots.sync()
    return slots


def again(slots, folder):
    slots.close()
    return Slots(folder, 20, COLUMNS, BLOCK)


def numbers(slots):
    return np.array([slot for slot, _, _ in slots.listed()], np.intp)


def test_slots_are_proved_in_any_order_and_any_array_by_itself(filled):
    filled.prove(np.array([[4, 1], [2, 11]]), ["low", "count"])
    filled.prove(np.empty((0, 3), np.intp), ["low"])
    filled.bins["high"][4, 3] += 1
    filled.prove(np.array([4, 1, 2]), ["low", "count"])
    with pytest.raises(TornError):
        filled.prove(np.array([1, 4]), ["count", "high"])
    assert filled.bad == {4}
    with pytest.raises(TornError):
        filled.prove(np.array([4]), ["low"])  # once it is known nothing of it is used


@pytest.mark.parametrize("name", ["field", "block"])
def test_a_slot_that_is_listed_under_another_name_is_noticed(filled, name):
    filled._entries[name][5] += 1
    with pytest.raises(TornError):
        filled.prove(np.array([5]), ["low"])


@pytest.mark.parametrize("slots", [[[0, 3, 6, 9]], [[0, 3], [1, 4], [2, 5]], [[9, 0], [2, 5]], [[4]]])
def test_what_is_cut_out_is_a_copy_of_just_that(filled, slots):
    wanted, (fields, blocks) = np.array(slots), np.shape(slots)
    for skipped, count in ((0, blocks * BLOCK), (3, blocks * BLOCK - 5), (blocks * BLOCK - 1, 1)):
        got = filled.cut(wanted, ["low", "count"], skipped, count)
        for name in ("low", "count"):
            whole = filled.bins[name][wanted].reshape(fields, -1)
            assert got[name].tolist() == whole[:, skipped : skipped + count].reshape(-1).tolist()
            assert not np.shares_memory(got[name], filled.bins)


def test_a_run_is_what_follows_one_another():
    for slots in ([], [3], [3, 4, 5], [5, 4, 3], [3, 5, 5], [3, 3, 5], [1, 3]):
        given = np.array(slots, np.intp)
        assert np.arange(9)[run(given)].tolist() == slots
        assert isinstance(run(given), slice) == (slots in ([3], [3, 4, 5]))


def as_before(slots, folder):
    """Write the list as the version before did: one sum for all of a slot."""
    path = folder / "20.blocks"
    record = np.dtype([(name, kind, (BLOCK,)) for name, kind in COLUMNS])
    entries = np.zeros(len(slots._entries), [("field", "<i8"), ("block", "<i8"), ("sum", "<u8"), ("check", "<u8")])
    for name in ("field", "block", "check"):
        entries[name] = slots._entries[name]
    for slot, field, block in slots.listed():
        words = [field, block, *np.frombuffer(slots.bins[slot].tobytes(), "<u8").tolist()]
        entries["sum"][slot] = sum(word * (2 * i + 1) * ODD for i, word in enumerate(words)) % 2**64
    path.write_bytes(HEAD.pack(b"sisock tier 2\0\0\0", 20, BLOCK, record.itemsize) + entries.tobytes())


def test_a_list_of_the_version_before_is_renewed_and_damage_stays_noticed(filled, tmp_path):
    as_before(filled, tmp_path)
    filled.bins["high"][4, 3] += 1
    before, low = list(filled.listed()), filled.bins["low"].copy()
    for _ in range(2):
        filled = again(filled, tmp_path)
        assert (list(filled.listed()), filled.lost) == (before, 0)
        assert (filled.bins["low"] == low).all()
        sound = np.setdiff1d(numbers(filled), [4])
        filled.prove(sound, [name for name, _ in COLUMNS])
        with pytest.raises(TornError):
            filled.prove(numbers(filled), ["high"])


@pytest.mark.parametrize("left", [b"something else", b"sisock tier 2", b"sisock tier 2\0\0\0" + b"\0" * 8])
def test_a_list_of_something_else_is_begun_anew_and_told(filled, tmp_path, left):
    (tmp_path / "20.blocks").write_bytes(left)
    filled = again(filled, tmp_path)
    assert (list(filled.listed()), filled.lost > 0) == ([], True)


def test_a_list_of_the_version_before_whose_slots_are_gone_is_renewed(filled, tmp_path):
    as_before(filled, tmp_path)
    filled.close()
    (tmp_path / "20.bins").unlink()
    found = Slots(tmp_path, 20, COLUMNS, BLOCK)
    assert (list(found.listed()), found.lost) == ([], 12)
