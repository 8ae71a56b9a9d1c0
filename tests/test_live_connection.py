"""The connection to Grafana Live: where the token goes, and what an answer means."""

import datetime
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sisock.outlets.grafana_live import Live, Trouble, address, read_token
from sisock.testing.router import free_port
from tests.live import TOKEN, serving, token_file


@pytest.fixture
def token(tmp_path: Path) -> Path:
    return token_file(tmp_path)


def test_lines_go_to_the_stream_with_the_token_over_one_connection(token: Path):
    with serving() as grafana:
        live = Live(address(f"http://127.0.0.1:{grafana.port}/grafana/", "lab"), token)
        for n in range(3):
            live.send([b"m v=%d\n" % n])
        live.close()
    assert {push.path for push in grafana.pushes} == {"/grafana/api/live/push/lab"}
    assert grafana.lines == ["m v=0", "m v=1", "m v=2"]
    assert grafana.connections == 1


def test_a_connection_that_grafana_has_closed_meanwhile_is_made_anew(token: Path):
    with serving() as grafana:
        live = Live(address(f"http://127.0.0.1:{grafana.port}", "lab"), token)
        live.send([b"m v=1\n"])
        grafana.hang_up()
        live.send([b"m v=2\n"])
        live.close()
    assert grafana.lines == ["m v=1", "m v=2"]
    assert grafana.connections == 2


@pytest.mark.parametrize(
    ("status", "sentence", "refused"),
    [
        (401, "does not know the token in .*token: make a service account", False),
        (403, "may not push .* the role Editor", False),
        (404, "no Grafana Live at .*/api/live/push/lab: give the address", False),
        (413, "let it take bodies of 1 MiB", True),
        (400, "does not take the lines", True),
        (500, 'answers 500: {"message":"no"}', False),
        (302, "answers 302: give the address to which it sends", False),
        (418, "answers 418", False),
        (599, "answers 599", False),
        ("cut", "breaks off", False),
    ],
)
def test_what_grafana_answers_is_a_sentence_with_the_cure(token: Path, status, sentence: str, refused: bool):
    with serving() as grafana:
        grafana.always = status
        live = Live(address(f"http://127.0.0.1:{grafana.port}", "lab"), token)
        with pytest.raises(Trouble, match=sentence) as caught:
            live.send([b"m v=1\n"])
        live.close()
    assert caught.value.lines_refused is refused
    assert TOKEN not in str(caught.value)


def test_a_grafana_that_is_not_there_or_does_not_answer_is_told(token: Path, monkeypatch: pytest.MonkeyPatch):
    live = Live(address(f"http://127.0.0.1:{free_port()}", "lab"), token)
    with pytest.raises(Trouble, match="cannot be reached: Connection refused"):
        live.send([b"m v=1\n"])
    monkeypatch.setattr("sisock.outlets.grafana_live._PATIENCE", 0.2)
    with serving() as grafana:
        grafana.always = "never"
        with pytest.raises(Trouble, match=r"no answer within 0\.2 s"):
            Live(address(f"http://127.0.0.1:{grafana.port}", "lab"), token).send([b"m v=1\n"])


@pytest.mark.parametrize("text", ["", "two words", "ü", "a\nb"])
def test_a_file_without_a_token_is_told(tmp_path: Path, text: str):
    (tmp_path / "token").write_text(text)
    with pytest.raises(Trouble, match="holds no token"):
        read_token(tmp_path / "token")
    with pytest.raises(Trouble, match="cannot be read from .*: No such file"):
        read_token(tmp_path / "none")


@pytest.mark.parametrize("url", ["http://grafana.example", "http://10.0.0.1:3000", "http://127.0.0.1.example"])
def test_the_token_never_goes_over_a_network_in_the_clear(url: str):
    with pytest.raises(ValueError, match="in the clear: give an address with https://"):
        address(url, "lab")


@pytest.mark.parametrize(
    "url", ["ftp://x", "https://", "https://u:p@x", "https://x/?q", "https://x:99999", "https://ü", "https://x/a b"]
)
def test_addresses_that_are_none_are_refused(url: str):
    with pytest.raises(ValueError, match="is not where a Grafana is|is no URL"):
        address(url, "lab")


@pytest.mark.parametrize("stream", ["", "a/b", "a b", "x" * 61])
def test_streams_that_grafana_cannot_have_are_refused(stream: str):
    with pytest.raises(ValueError, match="cannot name a stream"):
        address("https://x", stream)


def test_a_certificate_that_is_not_trusted_is_refused_unless_its_authority_is_named(tmp_path: Path, token: Path):
    certificate = self_signed(tmp_path)
    with serving(certificate=certificate) as grafana:
        where = address(f"https://127.0.0.1:{grafana.port}", "lab")
        with pytest.raises(Trouble, match="is not trusted .*: name its authority with --authority"):
            Live(where, token).send([b"m v=1\n"])
        assert grafana.pushes == []
        trusting = Live(where, token, certificate)
        trusting.send([b"m v=1\n"])
        trusting.close()
        with pytest.raises(Trouble, match="is not trusted"):  # it is of another host
            Live(where._replace(host="localhost"), token, certificate).send([b"m v=1\n"])
    assert grafana.lines == ["m v=1"]


def self_signed(folder: Path) -> Path:
    """A certificate of 127.0.0.1 with its key, in one file."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lab")]),
    )
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / "grafana.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path
