"""The TLS certificate for existing clients: the one given, or a self-signed one made in the state directory."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sisock.keys.files import write
from sisock.settings import Settings

LASTS = timedelta(days=825)
_RENEW = timedelta(days=30)


def certificate(settings: Settings, hosts: Sequence[str]) -> tuple[Path, Path]:
    """Return chain and private key as PEM files; raise ValueError with the cure where one given is missing."""
    if settings.legacy_certificate or settings.legacy_key:
        given = Path(settings.legacy_certificate), Path(settings.legacy_key)
        for path, name in zip(given, ("CERTIFICATE", "KEY"), strict=True):
            if not path.is_file():
                raise ValueError(f"SISOCK_LEGACY_{name}={path}: there is no such file; give both, or neither")
        return given
    folder = settings.state / "tls"
    chain, key = folder / "router.pem", folder / "router.key"
    if not (key.is_file() and chain.is_file() and _serves(chain, hosts)):
        _make(chain, key, hosts)
    return chain, key


def _serves(chain: Path, hosts: Sequence[str]) -> bool:
    """Whether the certificate still lasts a while and names all hosts."""
    made = x509.load_pem_x509_certificate(chain.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return made.not_valid_after_utc > datetime.now(UTC) + _RENEW and set(map(_name, hosts)) <= set(names)


def _make(chain: Path, key: Path, hosts: Sequence[str]) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sisock router")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LASTS)
        .add_extension(x509.SubjectAlternativeName([_name(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write(key, pem.decode())
    write(chain, made.public_bytes(serialization.Encoding.PEM).decode())


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
