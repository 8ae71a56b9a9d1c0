"""How existing programs join: by the user and secret in their environment, over TLS with a given authority."""

import os
import sys
from pathlib import Path
from typing import Any

from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.auth import compute_wcs
from autobahn.wamp.serializer import JsonSerializer
from twisted.internet import reactor
from twisted.internet.ssl import Certificate, CertificateOptions, trustRootFromCertificates

URI = "org.simonsobservatory"


class WampCra(ApplicationSession):  # type: ignore[misc]
    """A session that answers WAMP-CRA's challenge."""

    def onConnect(self) -> None:
        self.join(self.config.realm, ["wampcra"], os.environ["EXISTING_USER"])

    def onChallenge(self, challenge: Any) -> Any:
        return compute_wcs(os.environ["EXISTING_SECRET"], challenge.extra["challenge"])

    def onDisconnect(self) -> None:
        if reactor.running:  # type: ignore[attr-defined]
            reactor.stop()  # type: ignore[attr-defined]


def run(session: type[WampCra]) -> None:
    """Join the router over TLS, in JSON, until the session ends."""
    authority = Certificate.loadPEM(Path(os.environ["EXISTING_CA"]).read_bytes())
    options = CertificateOptions(trustRoot=trustRootFromCertificates([authority]))
    ApplicationRunner(os.environ["EXISTING_URL"], "test_realm", ssl=options, serializers=[JsonSerializer()]).run(
        session
    )


def say(line: str) -> None:
    """Print past Twisted's log."""
    print(line, file=sys.__stdout__, flush=True)
