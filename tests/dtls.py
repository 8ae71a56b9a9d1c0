"""A DTLS client by OpenSSL that speaks to our sessions without a network between: what is lost on the way is ours to say."""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from OpenSSL import SSL

HERE = ("192.0.2.7", 40_000)
_CALLBACK = "unsigned int (*)(SSL *, const char *, char *, unsigned int, unsigned char *, unsigned int)"


class Client:
    """A device at an address; `sent` are the datagrams that the gateway has not got yet."""

    def __init__(self, identity: bytes, key: bytes, ciphers: bytes = b"PSK-AES128-CCM8:@SECLEVEL=0") -> None:
        """Be called so, and have this key."""
        lib, ffi = SSL._lib, SSL._ffi  # type: ignore[attr-defined]  # pyOpenSSL wraps certificates only
        context = SSL.Context(SSL.DTLS_CLIENT_METHOD)
        context.set_cipher_list(ciphers)

        def prove(_ssl: Any, _hint: Any, name: Any, longest: int, into: Any, most: int) -> int:
            assert len(identity) < longest
            assert len(key) <= most
            ffi.memmove(name, identity + b"\0", len(identity) + 1)
            ffi.memmove(into, key, len(key))
            return len(key)

        self._callback = ffi.callback(_CALLBACK, prove)
        lib.SSL_CTX_set_psk_client_callback(context._context, self._callback)
        self.connection = SSL.Connection(context, None)
        self.connection.set_connect_state()
        self.sent: deque[bytes] = deque()
        self.shake()

    def shake(self) -> bool:
        """Go on with the handshake; whether it has come to its end."""
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            return False
        finally:
            self._collect()
        return True

    def say(self, message: bytes) -> None:
        """Encrypt a message."""
        self.connection.send(message)
        self._collect()

    def take(self, datagram: bytes) -> None:
        """Get a datagram of the gateway."""
        self.connection.bio_write(datagram)

    def heard(self) -> bytes:
        """The message that has come. Raises SSL.Error where the gateway has ended the session, or none came."""
        return self.connection.recv(16_384)

    def again(self) -> None:
        """Say again what was not answered for too long."""
        self.connection.DTLSv1_handle_timeout()
        self._collect()

    def end(self) -> None:
        """Tell the gateway that this is the end of the session."""
        self.connection.shutdown()
        self._collect()

    def _collect(self) -> None:
        try:
            self.sent.append(self.connection.bio_read(20_000))
        except SSL.WantReadError:
            return


def converse(
    client: Client, received: Callable[[bytes], list[bytes]], answers: deque[bytes], rounds: int = 10
) -> list[bytes]:
    """Pass datagrams on until nobody says anything any more; the messages that came to the gateway."""
    messages: list[bytes] = []
    for _ in range(rounds):
        while client.sent:
            messages += received(client.sent.popleft())
        while answers:
            client.take(answers.popleft())
        client.shake()
        if not client.sent:
            break
    return messages


@contextlib.asynccontextmanager
async def joined(client: Client, port: int, host: str = "127.0.0.1") -> AsyncIterator[socket.socket]:
    """A socket at which a gateway knows this client."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.setblocking(False)
        await loop.sock_connect(own, (host, port))
        async with asyncio.timeout(30):
            while not client.shake() or client.sent:
                while client.sent:
                    await loop.sock_sendall(own, client.sent.popleft())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        client.take(await loop.sock_recv(own, 20_000))
                client.again()
        yield own
