from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sisock.keys import certificates
from sisock.keys.authority import Authority
from sisock.keys.certificates import has_ended, is_due, keep, read_request, request
from sisock.keys.key import shown


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=4096)


def asked(key, *names, algorithm=None):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
    signing = hashes.SHA256() if algorithm is None else algorithm
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, signing or None)
    return made.public_bytes(serialization.Encoding.PEM).decode()


def test_a_machine_makes_an_rsa_key_once_and_asks_for_its_own_name(tmp_path):
    first, second = request(tmp_path, "attic"), request(tmp_path, "attic")
    files = shown(tmp_path, "attic")
    assert files.key.stat().st_mode & 0o777 == 0o600
    keys = [read_request(each, "attic") for each in (first, second)]
    assert keys[0] == keys[1]
    assert keys[0].key_size == 4096
    assert "PRIVATE" not in first
    assert not files.is_there()


def test_the_authority_signs_what_is_shown_at_tls_and_nothing_else(tmp_path, rsa_key):
    authority = Authority(tmp_path / "ca")
    authority.ensure("lab")
    chain = authority.issue_client("attic", read_request(asked(rsa_key, "attic"), "attic"))
    leaf, issuing = x509.load_pem_x509_certificates(chain.encode())
    leaf.verify_directly_issued_by(issuing)
    assert leaf.public_key() == rsa_key.public_key()
    assert [each.value for each in leaf.subject] == ["attic"]
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    path = shown(tmp_path, "attic").key
    path.parent.mkdir()
    private = serialization.PrivateFormat.PKCS8
    path.write_bytes(rsa_key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
    for wrong in (
        authority.issue_client("cellar", rsa_key.public_key()), authority.issue(["lab"])[0], "", "nonsense",
    ):  # fmt: skip
        with pytest.raises(ValueError, match="that came back|what came back"):
            keep(tmp_path, "attic", wrong)
    keep(tmp_path, "attic", chain)
    path = shown(tmp_path, "attic").chain
    assert path.read_text() == chain
    assert not is_due(path)
    assert not has_ended(path)


def test_a_certificate_is_due_at_two_thirds_of_its_life_and_ends(tmp_path, rsa_key, monkeypatch):
    authority = Authority(tmp_path / "ca")
    authority.ensure("lab")
    for lasts, due, ended in ((timedelta(days=30), False, False), (timedelta(hours=-0.1), True, True)):
        monkeypatch.setattr("sisock.keys.authority.CLIENT_LASTS", lasts)
        path = tmp_path / "x.pem"
        path.write_text(authority.issue_client("attic", rsa_key.public_key()))
        assert (is_due(path), has_ended(path)) == (due, ended)
    assert datetime.now(UTC)
    path.write_text("nonsense")
    with pytest.raises(ValueError, match="holds no certificate: ask for an invitation"):
        is_due(path)


def test_other_keys_and_names_are_refused_with_the_cure(rsa_key):
    small = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert read_request(asked(ec.generate_private_key(ec.SECP384R1()), "attic"), "attic")
    for pem, says in (
        (asked(small, "attic"), "2048 bits: use 4096"),
        (asked(rsa_key, "other"), "is for other, and not for attic"),
        (asked(rsa_key), "is for nobody"),
        (asked(rsa_key, "attic", "attic"), "is for attic, attic"),
        (asked(ec.generate_private_key(ec.SECP256K1()), "attic"), "neither RSA"),
        (asked(ed25519.Ed25519PrivateKey.generate(), "attic", algorithm=False), "neither RSA"),
        (None, "no request"), (7, "no request"), ("", "no request"), ("x" * 20_000, "no request"),
        ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "no request"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=says):
            read_request(pem, "attic")


def test_a_request_that_was_changed_on_its_way_is_refused(rsa_key):
    pem = asked(rsa_key, "attic")
    der = bytearray(x509.load_pem_x509_csr(pem.encode()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(ValueError, match="not signed with the key"):
        read_request(forged, "attic")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff"])
def test_a_broken_key_file_is_named_with_the_cure(tmp_path, content):
    path = shown(tmp_path, "attic").key
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"attic\.tls\.key does not hold a private key: restore it, or remove it"):
        certificates.request(tmp_path, "attic")
