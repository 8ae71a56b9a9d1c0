"""Certificates of machines, where a site wants RSA keys and X.509: the machine's key and request, and what the hub signs.

The key is RSA of 4096 bits, and never leaves the machine. The request is PKCS #10 (RFC 2986) with the principal's name as
common name. What comes back, with its chain, is what the machine shows at TLS beside signing in with its Ed25519 key.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from sisock.keys.authority import due
from sisock.keys.files import write, write_once
from sisock.keys.key import shown

BITS = 4096
_LONGEST = 16_384  # characters of a request
_MOST_BITS = 16_384

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


def is_due(chain: Path) -> bool:
    """Whether two thirds of its life are over. Raises ValueError with the cure where it is broken."""
    return due(_certificate(chain))


def has_ended(chain: Path) -> bool:
    """Whether nobody accepts it any more. Raises ValueError with the cure where it is broken."""
    return _certificate(chain).not_valid_after_utc < datetime.now(UTC)


def _certificate(chain: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(chain.read_bytes())
    except (ValueError, x509.InvalidVersion) as error:
        raise ValueError(f"{chain} holds no certificate: ask for an invitation with --rekey") from error


def request(state: Path, name: str) -> str:
    """A request for a certificate, PEM, signed with the key of this machine, which is made at first use."""
    path = shown(state, name).key
    if not path.exists():
        made = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
        pem = serialization.PrivateFormat.PKCS8
        write_once(path, made.private_bytes(serialization.Encoding.PEM, pem, serialization.NoEncryption()).decode())
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"{path} does not hold a private key: restore it, or remove it and enroll again") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError(f"{path} does not hold an RSA key: restore it, or remove it and enroll again")
    asked = x509.CertificateSigningRequestBuilder().subject_name(_named(name)).sign(key, hashes.SHA256())
    return asked.public_bytes(serialization.Encoding.PEM).decode()


def keep(state: Path, name: str, chain: str) -> None:
    """Keep the certificate that came back. Raises ValueError where it is not for this machine's key and name."""
    files = shown(state, name)
    try:
        leaf = x509.load_pem_x509_certificate(chain.encode())
        key = serialization.load_pem_private_key(files.key.read_bytes(), None)
        fits = leaf.public_key() == key.public_key() and leaf.subject == _named(name)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise ValueError(f"what came back is no certificate: {error!s:.200}") from error
    if not fits:
        raise ValueError("the certificate that came back is for another key, or another name")
    write(files.chain, chain)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def read_request(pem: object, name: str) -> PublicKey:
    """The public key of a request by this principal. Raises ValueError with the cure where it cannot be signed."""
    if not isinstance(pem, str) or len(pem) > _LONGEST:
        raise ValueError("this is no request for a certificate: give PKCS #10 as PEM")
    try:
        asked = x509.load_pem_x509_csr(pem.encode())
        sound, key = asked.is_signature_valid, asked.public_key()
        names: Sequence[object] = [each.value for each in asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature, x509.InvalidVersion) as error:
        raise ValueError(f"this is no request for a certificate that can be read: {error!s:.200}") from error
    if not sound:
        raise ValueError("the request is not signed with the key that it asks for")
    if names != [name]:
        raise ValueError(f"the request is for {', '.join(map(str, names)) or 'nobody'}, and not for {name}")
    if isinstance(key, rsa.RSAPublicKey):
        if not BITS <= key.key_size <= _MOST_BITS:
            raise ValueError(f"its RSA key has {key.key_size} bits: use {BITS}")
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)):
        return key
    raise ValueError(f"its key is neither RSA of {BITS} bits nor of a NIST curve")
