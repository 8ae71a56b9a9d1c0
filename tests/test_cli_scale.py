"""Round values beside the rows of a plot."""

import math
import random

import pytest

from sisock.cli.scale import scale


@pytest.mark.parametrize(
    ("low", "high", "rows", "marks"),
    [
        (0, 7.5, 10, ["7.5", "", "", "5", "", "", "2.5", "", "", "0"]),
        (0.3, 9.6, 15, ["10", "", "", "7.5", "", "", "5", "", "", "2.5", "", "", "0"]),
        (-1e-9, 44_387.9, 4, ["50000", "25000", "0", "-25000"]),
        (1e9, 1e9 + 1, 7, ["1000000001", "", "", "1000000000.5", "", "", "1000000000"]),
        (0, 1, 3, ["1", "", "0"]),
        (2.5e-7, 7e-7, 5, ["0.000001", "", "0.0000005", "", "0"]),
        (3e19, 9e20, 5, ["1e+21", "", "5e+20", "", "0"]),
        (16930.7, 16930.7, 3, ["", "16930.7", ""]),
    ],
)
def test_the_values_are_round_and_each_at_its_row(low, high, rows, marks):
    assert scale(low, high, rows).marks == marks


@pytest.mark.parametrize("seed", range(300))
def test_all_values_lie_within_use_most_of_it_and_fit(seed):
    drawn = random.Random(seed)
    rows = drawn.randrange(3, 60)
    low = drawn.choice([0.0, drawn.uniform(-1, 1) * 10.0 ** drawn.randrange(-12, 12)])
    high = low + drawn.random() * 10.0 ** drawn.randrange(-3, 12)
    if low == high:
        return
    made = scale(low, high, rows)
    assert made.low <= low < high <= made.high
    assert 3 <= len(made.marks) <= rows
    numbers = [float(mark) for mark in made.marks if mark]
    assert numbers == sorted(set(numbers), reverse=True)
    assert math.isclose(numbers[0], made.high, rel_tol=1e-11)
    if rows > 20:
        assert (high - low) / (made.high - made.low) * len(made.marks) > rows / 2


@pytest.mark.parametrize(
    ("low", "high"), [(0, 5e-324), (-1e308, 1e308), (-1.7e308, 1.7e308), (1, 1 + 2**-52), (1e-320, 1.0)]
)
def test_extremes_have_a_scale_as_well(low, high):
    made = scale(low, high, 15)
    assert made.low <= low < high <= made.high
    assert math.isfinite(made.low)
    assert math.isfinite(made.high)
    assert made.marks[0]
    assert made.marks[-1]
