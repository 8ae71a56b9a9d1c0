"""Why no connection to a router was made, in a sentence with the cure."""

import errno
import os
import re
import socket
import ssl

_NUMBER = re.compile(r"\[Errno (\d+)\]")


def why(error: Exception) -> str:
    """What a socket, TLS or asyncio told, as people read it; of any other error its own words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}): name the file of its authority"
    if isinstance(error, ssl.SSLError):
        told = (getattr(error, "reason", None) or "the handshake failed").lower().replace("_", " ")
        return f"TLS was not agreed on ({told}): see that the address is of a port with TLS"
    if isinstance(error, socket.gaierror):
        return "there is no machine of this name: correct the address"
    if not isinstance(error, OSError):
        return str(error)
    numbers = {error.errno or 0, *map(int, _NUMBER.findall(str(error)))} - {0}
    if errno.ECONNREFUSED in numbers:
        return "nobody listens there: start it, or correct the address"
    return f"{os.strerror(min(numbers))}: see whether its machine can be reached" if numbers else str(error)
