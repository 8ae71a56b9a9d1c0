"""The seam to autobahn for clients: join as a principal, call, offer and publish, and join again for ever."""

from sisock.wamp.link import Call, Handler, Link
from sisock.wamp.session import WampError

__all__ = ["Call", "Handler", "Link", "WampError"]
