import time
from hashlib import sha256

import pytest

from sisock.keys.api_tokens import ApiToken, make, read, read_file
from sisock.times import NS


def test_of_a_token_only_the_hash_and_its_end_are_kept():
    token, kept = make("grafana", 60)
    assert str(token) == f"grafana.{token.secret}"
    assert len(token.secret) >= 43
    assert kept["sha256"] == sha256(token.secret.encode()).hexdigest()
    assert abs(kept["until"] - time.time_ns() - 60 * NS) < 10 * NS
    assert make("grafana", 60)[0].secret != token.secret
    assert token.ticket.text == token.secret


def test_a_token_is_read_as_it_was_printed(tmp_path):
    token, _ = make("a-b", 60)
    assert read(f"  {token}\n") == token
    (tmp_path / "t").write_text(f"{token}\n")
    assert read_file(str(tmp_path / "t")) == token
    assert read(f"x.{'a' * 43}") == ApiToken("x", "a" * 43)


SECRET = "a" * 43


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "x",
        "x.",
        f".{SECRET}",
        f"a b.{SECRET}",
        f"ä.{SECRET}",
        f"x.{'ä' * 43}",
        f"x.{SECRET}a",
        f"x.{SECRET[1:]}",
        f"1.{SECRET}",
        f"x.{SECRET}\nb",
    ],
)
def test_what_is_no_token_is_told(text, tmp_path):
    with pytest.raises(ValueError, match="no API token: copy all"):
        read(text)
    (tmp_path / "t").write_text(text)
    with pytest.raises(ValueError, match="SISOCK_TOKEN=.*no API token"):
        read_file(str(tmp_path / "t"))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="SISOCK_TOKEN=.*/nowhere: No such file"):
        read_file(str(tmp_path / "nowhere"))
