"""TLS of the router's listeners: 1.3 only, a certificate that is renewed while it runs, and those of clients that have one."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from OpenSSL import SSL

from sisock.router.policy import rights

log = logging.getLogger(__name__)


class Context:
    """What Twisted asks for a context at each connection; files that have changed are read anew."""

    def __init__(self, certificate: Path, key: Path, root: Path) -> None:
        """Read them; raise OpenSSL.SSL.Error or OSError where that fails. `root`: whose certificates clients may show."""
        self._certificate, self._files = certificate, (certificate, key, root)
        self._seen = _stamps(*self._files)
        self._context = _context(*self._files)

    def getContext(self) -> SSL.Context:  # Twisted's name
        """The context for one more connection."""
        try:
            stamps = _stamps(*self._files)
            if stamps != self._seen:
                self._seen = stamps
                self._context = _context(*self._files)
        except (SSL.Error, OSError) as error:  # between the writing of one and the other, or broken
            log.warning("%s cannot be used, the one of before is: %s", self._certificate, error)
        return self._context


def context(config: Mapping[str, Any], cbdir: str, log: object) -> Context:
    """In the place of Crossbar's function of these arguments."""
    root = rights().settings.state / "ca" / "root.pem"
    return Context(Path(cbdir, config["certificate"]), Path(cbdir, config["key"]), root)


def _stamps(*paths: Path) -> list[int]:
    return [path.stat().st_mtime_ns if path.exists() else 0 for path in paths]


def _context(certificate: Path, key: Path, root: Path) -> SSL.Context:
    made = SSL.Context(SSL.TLS_SERVER_METHOD)
    made.set_min_proto_version(SSL.TLS1_3_VERSION)
    made.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    made.set_options(SSL.OP_NO_TICKET)
    made.use_certificate_chain_file(str(certificate))
    made.use_privatekey_file(str(key))
    made.check_privatekey()
    if root.is_file():  # a client that has none goes on without; who needs one is for the authenticator to say
        made.load_verify_locations(str(root))
        made.load_client_ca(str(root).encode())  # browsers offer what somebody else gave them for nothing else
        made.set_verify(SSL.VERIFY_PEER, lambda connection, shown, error, depth, sound: bool(sound))
    return made
