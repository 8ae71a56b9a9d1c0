import pytest

from sisock.keys.passwords import check, hashed, is_hash, nobodys
from sisock.router.guesses import FIRST_WAIT, FREE, LONGEST_WAIT, MOST, Guesses
from sisock.router.passwords import place


def test_a_password_is_kept_as_a_salted_hash_that_costs_memory():
    first, second = hashed("correct horse"), hashed("correct horse")
    assert first != second
    assert first.startswith("$argon2id$v=19$m=65536,t=2,p=1$")
    assert check(first, "correct horse")
    assert check(second, "correct horse")
    for wrong in ("correct horsf", "", "Correct horse", "correct horse ", "x" * 1000, "\udc80"):
        assert not check(first, wrong)


@pytest.mark.parametrize("password", ["", "short", "x" * 201])
def test_a_password_that_is_too_short_or_long_is_refused(password):
    with pytest.raises(ValueError, match="10 to 200 characters"):
        hashed(password)


def test_letters_of_any_language_make_a_password():
    assert check(hashed("grüne Wiese Käse"), "grüne Wiese Käse")


@pytest.mark.parametrize(
    "text",
    [
        None, 7, "", "secret", nobodys() + "x", nobodys().replace("m=65536", "m=99999"), nobodys().replace("t=2", "t=9"),
        nobodys().replace("argon2id", "argon2i$"), nobodys().encode(), nobodys()[:-1] + "é",
    ],
    ids=("none", "number", "empty", "word", "longer", "memory", "rounds", "kind", "bytes", "letter"),  # texts are random
)  # fmt: skip
def test_what_is_no_hash_of_ours_is_not_kept(text):
    assert is_hash(nobodys())
    assert not is_hash(text)


def test_what_is_kept_and_cannot_be_read_is_nobodys_password():
    assert not check("nonsense", "nonsense")
    assert not check("", "the password of nobody")
    assert check(nobodys(), "the password of nobody")
    assert not check("é", "é")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_who_guesses_too_often_waits_longer_each_time_until_it_knows():
    clock = Clock()
    guesses = Guesses(clock=clock)
    for _ in range(FREE - 1):
        guesses.wrong("ann")
        assert guesses.wait("ann") == 0
    waits = []
    for _ in range(8):
        guesses.wrong("ann")
        waits.append(guesses.wait("ann"))
        clock.now += waits[-1]
        assert guesses.wait("ann") == 0
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]
    assert (waits[0], waits[-1]) == (FIRST_WAIT, LONGEST_WAIT)
    assert guesses.wait("bob") == 0
    guesses.right("ann")
    guesses.wrong("ann")
    assert guesses.wait("ann") == 0


def test_the_memory_of_guesses_is_bounded():
    guesses = Guesses(1)
    for number in range(MOST + 1):
        guesses.wrong(number)
    assert guesses.wait(0) == 0
    assert guesses.wait(1) > 0
    for _ in range(5_000):
        guesses.wrong("often")
    assert 0 < guesses.wait("often") <= LONGEST_WAIT


@pytest.mark.parametrize(
    ("peer", "where"),
    [
        ("tcp4:192.0.2.1:5000", "192.0.2.1/32"),
        ("tcp6:2001:db8:1:2:3:4:5:6:5000", "2001:db8:1:2::/64"),
        ("tcp6:[2001:db8:1:2:3:4:5:6]:5000", "2001:db8:1:2::/64"),
        ("tcp6:2001:db8::1:2:3:4:5000", "2001:db8::/64"),
        ("unix", ""),
        ("None", ""),
        ("", ""),
    ],
)
def test_who_guesses_is_told_by_its_address(peer, where):
    assert place(peer) == where
