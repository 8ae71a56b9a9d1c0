"""A real router on a free port, and a plain client, for tests."""

from sisock.testing.client import Client, HandshakeRefused, Refused
from sisock.testing.router import Router, running_router

__all__ = ["Client", "HandshakeRefused", "Refused", "Router", "running_router"]
