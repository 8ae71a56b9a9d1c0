"""The certificate of the TLS listeners: the one given, or one of the authority in the state directory, renewed in time."""

import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from sisock.keys.authority import Authority, due, general_name, key_of, names
from sisock.keys.files import write
from sisock.settings import Settings


def certificate(settings: Settings, hosts: Sequence[str]) -> tuple[Path, Path]:
    """Return chain and private key as PEM files, made anew where they are due or not for these hosts.

    Raises ValueError with the cure where one that is given, or what is needed for a new one, is missing.
    """
    if settings.tls_certificate or settings.tls_key:
        given = Path(settings.tls_certificate), Path(settings.tls_key)
        for path, name in zip(given, ("CERTIFICATE", "KEY"), strict=True):
            if not path.is_file():
                raise ValueError(f"SISOCK_TLS_{name}={path}: there is no such file; give both, or neither")
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*given)
        except (ssl.SSLError, ValueError) as error:
            raise ValueError(
                f"{given[0]} and {given[1]} are not a certificate and its key, both PEM ({error})"
            ) from error
        return given
    folder = settings.state / "tls"
    chain, key = folder / "router.pem", folder / "router.key"
    authority = Authority(settings.state / "ca")
    if not _serves(chain, key, authority, hosts):
        authority.ensure("sisock")
        certificates, private = authority.issue(hosts)
        write(key, private)
        write(chain, certificates)
    return chain, key


def _serves(chain: Path, key: Path, authority: Authority, hosts: Sequence[str]) -> bool:
    """Whether the certificate is of this authority, has this key, names all hosts, and has not seen 2/3 of its life."""
    try:
        made = x509.load_pem_x509_certificates(chain.read_bytes())
        ours = not authority.root.is_file() or made[-1].fingerprint(hashes.SHA256()).hex() == authority.fingerprint
        fits = key_of(key) == made[0].public_key() and set(map(general_name, hosts)) <= names(made[0])
    except (
        OSError,
        ValueError,
        x509.ExtensionNotFound,
        x509.InvalidVersion,
        UnsupportedAlgorithm,
    ):  # as a sudden end may leave them
        return False
    return ours and fits and not due(made[0])
