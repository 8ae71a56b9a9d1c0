"""A certificate authority of one's own: an offline root, an issuing certificate, and the TLS certificates it signs.

X.509 as RFC 5280 has it, keys on the curve P-256. What browsers and OpenSSL ask of a server's certificate is in it:
names as subjectAltName, serverAuth, at most 398 days.
"""

import contextlib
import ipaddress
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sisock.keys.files import alone, write
from sisock.keys.key import one_certificate

log = logging.getLogger(__name__)
ROOT_LASTS, ISSUING_LASTS, SERVER_LASTS = timedelta(days=7305), timedelta(days=1826), timedelta(days=90)
CLIENT_LASTS = timedelta(days=90)
EARLIER = timedelta(hours=1)  # a certificate holds for clocks that are behind by so much
_SIGNS = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
)  # fmt: skip
_SERVES = x509.KeyUsage(
    digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
)  # fmt: skip


class _Signer(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


class Authority:
    """The authority in a folder: `root.pem` and `root.key`, `issuing.pem` and `issuing.key`.

    Only the latter pair signs; `root.key` belongs on a medium that lies in a drawer, until the issuing certificate is
    to be renewed.
    """

    def __init__(self, folder: Path) -> None:
        """Use what is in the folder; nothing is read or made yet."""
        self.folder = folder
        self.root, self.root_key = folder / "root.pem", folder / "root.key"
        self.issuing, self._issuing_key = folder / "issuing.pem", folder / "issuing.key"

    def ensure(self, name: str) -> bool:
        """Make it, called `name`, or renew its issuing certificate where that is due; say whether anything was made.

        Raises ValueError with the cure where it cannot sign and the root's key, or the root, is not there to mend that.
        """
        with alone(self.folder):
            fresh = not (self.root.is_file() or self.issuing.is_file())
            if fresh:
                self._make_root(name)
            trouble = self._trouble()
            late = not trouble and due(_read(self.issuing))
            if not (fresh or trouble or late):
                return False
            if self.root_key.is_file() and self.root.is_file():
                self._make_issuing(name)
                return True
            if trouble:
                raise ValueError(f"{trouble}: bring {self.root_key} and {self.root} back for a new one")
            log.warning(
                "the issuing certificate %s should be renewed: bring %s back for that", self.issuing, self.root_key
            )
            return False

    def _trouble(self) -> str:
        """Why it cannot sign; empty where it can."""
        if not (self.root.is_file() and self.issuing.is_file() and self._issuing_key.is_file()):
            return f"{self.folder} is not complete"
        root, issuing = _read(self.root), _read(self.issuing)
        key = _load(self._issuing_key).public_key()
        try:
            if issuing.public_key() != key:
                return f"{self._issuing_key} is not the key of {self.issuing}"
            issuing.verify_directly_issued_by(root)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return f"{self.issuing} is not of {self.root}"
        return f"{self.issuing} has ended" if issuing.not_valid_after_utc < datetime.now(UTC) else ""

    def issue(self, hosts: Sequence[str]) -> tuple[str, str]:
        """A certificate for a server of these host names, and its private key: PEM, the former with its chain.

        Raises ValueError with the cure where this is no authority.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder("sisock router", key.public_key(), SERVER_LASTS)
            .add_extension(x509.SubjectAlternativeName([general_name(host) for host in hosts]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_SERVES, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
        leaf = _signed(builder, self._signer())
        chain = [leaf, _read(self.issuing), _read(self.root)]
        return "".join(_pem(each) for each in chain), _private(key)

    def issue_client(self, name: str, public: CertificatePublicKeyTypes) -> str:
        """A certificate by which the principal `name` shows itself at TLS, with its chain, PEM.

        Raises ValueError with the cure where this is no authority.
        """
        builder = (
            _builder(name, public, CLIENT_LASTS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_SERVES, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        )
        return "".join(_pem(each) for each in (_signed(builder, self._signer()), _read(self.issuing)))

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the root certificate, 64 hex digits. Raises ValueError where there is none."""
        if not self.root.is_file():
            raise ValueError(f"{self.folder} holds no authority: `sisock ca init` makes one")
        try:
            return one_certificate(self.root.read_text(encoding="ascii"))[1]
        except ValueError as error:
            raise ValueError(f"{self.root} does not hold a certificate ({error}): restore it") from error

    def _make_root(self, name: str) -> None:
        """Make the root; a key without a certificate, which a sudden end left, has signed nothing."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(f"{name} root", key.public_key(), ROOT_LASTS)
            .issuer_name(_common_name(f"{name} root"))
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(_SIGNS, critical=True)
        )
        write(self.root_key, _private(key))
        write(self.root, _pem(builder.sign(key, hashes.SHA256())))

    def _make_issuing(self, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(f"{name} issuing", key.public_key(), ISSUING_LASTS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNS, critical=True)
        )
        write(self._issuing_key, _private(key))
        write(self.issuing, _pem(_signed(builder, _Signer(_read(self.root), _load(self.root_key)))))

    def _signer(self) -> _Signer:
        if trouble := self._trouble():
            raise ValueError(f"{trouble}: `sisock ca init` makes or mends it")
        return _Signer(_read(self.issuing), _load(self._issuing_key))


def names(certificate: x509.Certificate) -> set[x509.GeneralName]:
    """The host names that a certificate is for."""
    return set(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)


def general_name(host: str) -> x509.GeneralName:
    """A host's name or address as it stands in a certificate."""
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(host))
    return x509.DNSName(host if host.isascii() else host.encode("idna").decode("ascii"))


def due(certificate: x509.Certificate) -> bool:
    """Whether two thirds of its life are over. A clock that is behind makes nothing due."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return datetime.now(UTC) > begin + (end - begin) * 2 / 3


def key_of(path: Path) -> ec.EllipticCurvePublicKey:
    """The public half of a private key. Raises ValueError where the file holds none."""
    return _load(path).public_key()


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(name: str, public: CertificatePublicKeyTypes, lasts: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_common_name(name))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _signed(builder: x509.CertificateBuilder, by: _Signer) -> x509.Certificate:
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
    named = builder.issuer_name(by.certificate.subject).add_extension(above, critical=False)
    return named.sign(by.key, hashes.SHA256())


def _read(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (ValueError, x509.InvalidVersion) as error:
        raise ValueError(f"{path} does not hold a certificate ({error}): restore it") from error


def _load(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"{path} does not hold a private key ({error}): restore it") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path} does not hold a key of an elliptic curve: restore it")
    return key


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private(key: ec.EllipticCurvePrivateKey) -> str:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem.decode()
