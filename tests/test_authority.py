"""An authority of one's own: what it signs is what OpenSSL and browsers ask for, and it is renewed in time."""

import base64
import ssl
import stat
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from sisock.keys import authority as module
from sisock.keys.authority import Authority, due
from sisock.keys.key import one_certificate
from sisock.router.certificate import certificate
from sisock.settings import Settings


@pytest.fixture
def authority(tmp_path):
    made = Authority(tmp_path / "ca")
    assert made.ensure("Lab 3")
    return made


def chain_of(text):
    return x509.load_pem_x509_certificates(text.encode())


def verified(authority, text, name):
    leaf, *others = chain_of(text)
    root = x509.load_pem_x509_certificate(authority.root.read_bytes())
    return PolicyBuilder().store(Store([root])).build_server_verifier(name).verify(leaf, others)


def test_a_certificate_is_good_for_its_names_only(authority):
    text, _ = authority.issue(["lab.example", "127.0.0.1"])
    for name in (x509.DNSName("lab.example"), x509.IPAddress(module.ipaddress.ip_address("127.0.0.1"))):
        assert len(verified(authority, text, name)) == 3
    with pytest.raises(VerificationError):
        verified(authority, text, x509.DNSName("other.example"))


def test_openssl_agrees(authority, tmp_path):
    text, _ = authority.issue(["lab.example"])
    (tmp_path / "chain.pem").write_text(text)
    argv = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "lab.example", "-CAfile"]
    done = subprocess.run(
        [*argv, authority.root, "-untrusted", tmp_path / "chain.pem", tmp_path / "chain.pem"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    shown = subprocess.run(
        ["openssl", "x509", "-in", authority.root, "-noout", "-fingerprint", "-sha256"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert shown.stdout.strip().partition("=")[2].replace(":", "").lower() == authority.fingerprint


def test_the_issuing_certificate_signs_no_authorities_and_the_root_is_not_needed(authority):
    authority.root_key.unlink()
    text, _ = authority.issue(["lab.example"])
    _, issuing, root = chain_of(text)
    assert issuing.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    assert one_certificate(root.public_bytes(module.serialization.Encoding.PEM).decode())[1] == authority.fingerprint
    assert not authority.ensure("Lab 3")


def test_what_is_private_is_nobodys_elses(authority):
    for name in ("root.key", "issuing.key"):
        assert stat.S_IMODE((authority.folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(authority.folder.stat().st_mode) == 0o700


def test_it_is_made_once_and_renewed_in_time_and_goes_on_as_long_as_it_can(authority, monkeypatch, caplog):
    assert not authority.ensure("Lab 3")
    before = authority.issuing.read_bytes()
    monkeypatch.setattr(module, "ISSUING_LASTS", timedelta(minutes=10))  # an hour of it is over already
    authority.issuing.unlink()
    assert authority.ensure("Lab 3")
    late = authority.issuing.read_bytes()
    assert due(x509.load_pem_x509_certificate(late))
    monkeypatch.undo()
    key = authority.root_key.read_text()
    authority.root_key.unlink()
    assert not authority.ensure("Lab 3")
    assert "root.key back for that" in caplog.text
    verified(authority, authority.issue(["lab.example"])[0], x509.DNSName("lab.example"))
    authority.root_key.write_text(key)
    assert authority.ensure("Lab 3")
    assert authority.issuing.read_bytes() not in (before, late)
    verified(authority, authority.issue(["lab.example"])[0], x509.DNSName("lab.example"))


def test_one_that_has_ended_needs_the_roots_key(authority, monkeypatch):
    monkeypatch.setattr(module, "ISSUING_LASTS", timedelta(seconds=-1))
    authority.issuing.unlink()
    authority.ensure("Lab 3")
    authority.root_key.unlink()
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"issuing\.pem has ended: bring .*root\.key .* back for a new one"):
        authority.ensure("Lab 3")
    with pytest.raises(ValueError, match="has ended: `sisock ca init`"):
        authority.issue(["lab.example"])


@pytest.mark.parametrize("left", [["root.key"], ["root.key", "root.pem"], ["root.key", "root.pem", "issuing.key"]])
def test_what_a_sudden_end_left_is_completed(authority, left):
    for path in authority.folder.iterdir():
        if path.name not in left:
            path.unlink()
    assert authority.ensure("Lab 3")
    verified(authority, authority.issue(["lab.example"])[0], x509.DNSName("lab.example"))


@pytest.mark.parametrize("lost", ["root.pem", "issuing.pem", "issuing.key"])
def test_what_is_lost_is_not_replaced_by_something_that_nobody_trusts(authority, lost):
    authority.root_key.unlink()
    (authority.folder / lost).unlink()
    with pytest.raises(ValueError, match=r"not complete: bring .*root\.key .* back"):
        authority.ensure("Lab 3")


def test_a_key_of_another_is_noticed_and_mended(authority, tmp_path):
    other = Authority(tmp_path / "other")
    other.ensure("another")
    (authority.folder / "issuing.key").write_bytes((other.folder / "issuing.key").read_bytes())
    with pytest.raises(ValueError, match=r"issuing\.key is not the key of .*issuing\.pem"):
        authority.issue(["lab.example"])
    assert authority.ensure("Lab 3")
    authority.issuing.write_bytes(other.issuing.read_bytes())
    (authority.folder / "issuing.key").write_bytes((other.folder / "issuing.key").read_bytes())
    with pytest.raises(ValueError, match=r"issuing\.pem is not of .*root\.pem"):
        authority.issue(["lab.example"])


def test_a_second_certificate_behind_the_first_is_not_believed(tmp_path):
    """The text of a certificate ends at the padding of base64 for some readers, and not for others."""
    other = Authority(tmp_path / "other")
    other.ensure("another")
    padded = 0
    for number in range(12):
        first = Authority(tmp_path / str(number))
        first.ensure("Lab 3")
        text = first.root.read_text()
        both = text + other.root.read_text()
        try:
            kept, found = one_certificate(both)
        except ValueError:
            continue
        assert kept.count("BEGIN CERTIFICATE") == 1
        if found == first.fingerprint:
            padded += 1
            assert x509.load_pem_x509_certificates(kept.encode()) == x509.load_pem_x509_certificates(text.encode())
    assert padded


def test_a_certificate_is_due_when_two_thirds_of_its_life_are_over(authority, monkeypatch):
    made = chain_of(authority.issue(["lab.example"])[0])[0]
    life = made.not_valid_after_utc - made.not_valid_before_utc

    class Clock(datetime):
        at = datetime.now(UTC)

        @classmethod
        def now(cls, tz=None):
            return cls.at

    monkeypatch.setattr(module, "datetime", Clock)
    for part, expected in ((-0.1, False), (0.1, False), (0.66, False), (0.67, True), (2, True)):
        Clock.at = made.not_valid_before_utc + life * part
        assert due(made) == expected, part


def test_without_an_authority_the_cure_is_told(tmp_path):
    nothing = Authority(tmp_path / "ca")
    for act in (lambda: nothing.issue(["a"]), lambda: nothing.fingerprint):
        with pytest.raises(ValueError, match="`sisock ca init` makes"):
            act()


@pytest.mark.parametrize("name", ["root.pem", "root.key", "issuing.pem", "issuing.key"])
def test_a_file_that_is_broken_is_named(authority, name):
    (authority.folder / name).write_text("broken")
    if name == "root.key":
        authority.issuing.unlink()  # it is needed for another one

    def use():
        authority.ensure("Lab 3")
        authority.issue(["lab.example"])

    with pytest.raises(ValueError, match=rf"{name} does not hold a (certificate|private key) .*: restore it"):
        use()


def test_the_routers_certificate_is_made_anew_for_other_names_another_authority_and_in_time(tmp_path, monkeypatch):
    settings = Settings(state=tmp_path)
    chain, key = certificate(settings, ["localhost"])
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    seen = [chain.read_bytes()]
    assert certificate(settings, ["localhost"])[0].read_bytes() == seen[-1]
    certificate(settings, ["localhost", "lab.example"])
    assert chain.read_bytes() not in seen
    seen.append(chain.read_bytes())
    private = key.read_text()
    for broken in ("", "broken", None):  # as a sudden end may leave it
        key.write_text(broken) if broken is not None else key.unlink()
        certificate(settings, ["localhost"])
        assert chain.read_bytes() not in seen
        seen.append(chain.read_bytes())
    key.write_text(private)
    certificate(settings, ["localhost"])
    assert chain.read_bytes() not in seen
    seen.append(chain.read_bytes())
    for path in (tmp_path / "ca").iterdir():
        path.unlink()
    certificate(settings, ["localhost"])
    assert chain.read_bytes() in seen  # it was signed elsewhere
    Authority(tmp_path / "ca").ensure("another")
    certificate(settings, ["localhost"])
    assert chain.read_bytes() not in seen
    seen.append(chain.read_bytes())
    monkeypatch.setattr("sisock.router.certificate.due", lambda made: True)
    certificate(settings, ["localhost"])
    assert chain.read_bytes() not in seen


def test_a_damaged_root_or_key_is_told_with_its_path(tmp_path):
    made = Authority(tmp_path)
    made.ensure("x")
    made.root.write_bytes(b"-----BEGIN CERTI\xea")
    with pytest.raises(ValueError, match=r"root\.pem does not hold a certificate .* restore it"):
        _ = made.fingerprint


def test_a_key_of_an_unknown_kind_is_told_with_its_path(tmp_path):
    lines = module._private(ec.generate_private_key(ec.SECP256R1())).splitlines()
    kind, other = bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce120201")
    der = base64.b64decode("".join(lines[1:-1]))
    assert kind in der
    der = der.replace(kind, other)
    text = base64.encodebytes(der).decode()
    (tmp_path / "key").write_text(f"-----BEGIN PRIVATE KEY-----\n{text}-----END PRIVATE KEY-----\n")
    with pytest.raises(ValueError, match="does not hold a private key .* restore it"):
        module.key_of(tmp_path / "key")


def test_a_certificate_of_an_unknown_version_is_told_with_its_path(tmp_path):
    made = Authority(tmp_path)
    made.ensure("x")
    der = ssl.PEM_cert_to_DER_cert(made.issuing.read_text()).replace(b"\xa0\3\2\1\2", b"\xa0\3\2\1\x6a", 1)
    made.issuing.write_text(ssl.DER_cert_to_PEM_cert(der))
    with pytest.raises(ValueError, match=r"issuing\.pem does not hold a certificate .* restore it"):
        made.issue(["lab"])
