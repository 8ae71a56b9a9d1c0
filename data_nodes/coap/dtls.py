"""DTLS 1.2 with pre-shared keys (RFC 6347, RFC 4279), by OpenSSL: the sessions of devices, as their datagrams come."""

import contextlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from OpenSSL import SSL

_CIPHERS = (  # the last is what RFC 7252 asks of every device; OpenSSL admits it at its lowest level only
    b"ECDHE-PSK-CHACHA20-POLY1305:PSK-AES256-GCM-SHA384:PSK-AES128-GCM-SHA256:PSK-CHACHA20-POLY1305:"
    b"PSK-AES128-CCM:PSK-AES128-CCM8:@SECLEVEL=0"
)
_HANDSHAKE, _CLIENT_HELLO = 22, 1  # the type of a record, and of the message in it
_HEADER = 13  # bytes of a record before its message
_NUMBER = slice(5, 11)  # where in it the record's number is
_MTU = 1280  # bytes, which every network with IPv6 passes on
_LARGEST = 16_384  # bytes of a message in one record
_MOST_SHAKING = 200  # handshakes under way
_LONGEST = 10.0  # seconds of a handshake
_COOKIE = 16  # bytes
_PSK = "unsigned int (*)(SSL *, const char *, unsigned char *, unsigned int)"
Address = tuple[Any, ...]


class Session:
    """What is agreed on with the device at an address; `device` is None until it has proved which it is."""

    def __init__(self, connection: SSL.Connection, address: Address, hello: bytes, now: float) -> None:
        """Begin with the greeting of a client that has shown that it is at its address."""
        self.connection, self.address, self.hello, self.begun = connection, address, hello, now
        self.ahead = 0  # by how much our record numbers lie behind those of the client
        self.device: str | None = None
        self.claimed = ""
        self.key: bytes | None = None


class Sessions:
    """The sessions of one socket. `send` sends a datagram to an address.

    `key_of` is the key of a device, None of one that has none; where that changes, its session ends. `refuse` is told of
    devices (empty where none is meant) that could not prove themselves, and why.
    """

    def __init__(
        self,
        key_of: Callable[[str], bytes | None],
        send: Callable[[bytes, Address], None],
        refuse: Callable[[str, str], None],
        most: int,
    ) -> None:
        """Keep at most so many sessions: of more, that which was silent for longest gives way."""
        self._key_of, self._send, self._refuse, self._most = key_of, send, refuse, most
        self._shaking: OrderedDict[Address, Session] = OrderedDict()
        self._sessions: OrderedDict[Address, Session] = OrderedDict()
        self._secret, self._greeting = secrets.token_bytes(32), b""
        self._proving: Session | None = None
        self._context = self._made()

    def _made(self) -> SSL.Context:
        context = SSL.Context(SSL.DTLS_SERVER_METHOD)
        context.set_cipher_list(_CIPHERS)
        context.set_options((SSL.OP_COOKIE_EXCHANGE or 0) | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_cookie_generate_callback(lambda _: self._cookie())
        context.set_cookie_verify_callback(lambda _, given: hmac.compare_digest(given, self._cookie()))
        lib, self._ffi = SSL._lib, SSL._ffi  # type: ignore[attr-defined]  # noqa: SLF001  # pyOpenSSL wraps certificates only
        self._callback = self._ffi.callback(_PSK, self._prove)  # kept for as long as OpenSSL may call it
        lib.SSL_CTX_set_psk_server_callback(context._context, self._callback)  # noqa: SLF001
        return context

    def _cookie(self) -> bytes:
        """What only who is at this address can send back."""
        return hmac.digest(self._secret, self._greeting, "sha256")[:_COOKIE]

    def _prove(self, _ssl: Any, identity: Any, into: Any, most: int) -> int:
        """Give OpenSSL the key of whom the client says to be; one that nobody has where there is none."""
        session = self._proving
        if session is None:
            return 0
        session.claimed = self._ffi.string(identity).decode("utf-8", "replace")
        session.key = self._key_of(session.claimed)
        key = session.key or secrets.token_bytes(32)
        if len(key) > most:
            return 0
        self._ffi.memmove(into, key, len(key))
        return len(key)

    def received(self, datagram: bytes, address: Address, now: float) -> Iterator[tuple[Session, bytes]]:
        """Take a datagram; gives the messages that came in it, decrypted, of devices that have proved to be theirs."""
        if len(datagram) <= _HEADER:
            return
        session = self._shaking.get(address) or self._sessions.get(address)
        if datagram[0] == _HANDSHAKE and datagram[_HEADER] == _CLIENT_HELLO and datagram[3:5] == b"\0\0":
            if address not in self._shaking or datagram[_HEADER:] != self._shaking[address].hello:
                self._greet(datagram, address, now)
            return
        if session is None:
            return
        session.connection.bio_write(datagram)
        if session.device is None and not self._shake(session):
            return
        for message in self._read(session):
            yield session, message

    def write(self, session: Session, message: bytes) -> None:
        """Send a message to a device; to one whose session has ended none."""
        if self._sessions.get(session.address) is session:
            with contextlib.suppress(SSL.Error):
                session.connection.send(message)
            self._flush(session.connection, session.address, session.ahead)

    def tick(self, now: float) -> None:
        """Say again what was not answered, and end what has no key any more, or takes too long; once a second."""
        for address, session in list(self._shaking.items()):
            if now - session.begun > _LONGEST:
                self._give_up(session)
                continue
            with contextlib.suppress(SSL.Error):
                session.connection.DTLSv1_handle_timeout()
            self._flush(session.connection, address, session.ahead)
        for session in list(self._sessions.values()):
            self._is_current(session)

    def close(self) -> None:
        """End all of them, and say so to the devices."""
        for session in list(self._sessions.values()):
            self._end(session)
        self._shaking.clear()

    def __len__(self) -> int:
        """How many devices have a session."""
        return len(self._sessions)

    def _greet(self, datagram: bytes, address: Address, now: float) -> None:
        """Let a client show that it is at its address, for which nothing is kept here; begin a handshake if it has."""
        connection = SSL.Connection(self._context, None)
        connection.set_accept_state()
        connection.set_ciphertext_mtu(_MTU)
        connection.bio_write(datagram)
        self._greeting = repr(address).encode()
        try:
            connection.DTLSv1_listen()
        except SSL.WantReadError:
            self._flush(connection, address)
            return
        except SSL.Error:
            return
        session = self._shaking[address] = Session(connection, address, datagram[_HEADER:], now)
        session.ahead = max(0, int.from_bytes(datagram[_NUMBER]) - 1)
        if len(self._shaking) > _MOST_SHAKING:
            self._shaking.popitem(last=False)
        self._shake(session)

    def _shake(self, session: Session) -> bool:
        """Go on with a handshake; whether it has come to its end, and the device is who it said."""
        self._proving = session
        try:
            session.connection.do_handshake()
        except SSL.WantReadError:
            self._flush(session.connection, session.address, session.ahead)
            return False
        except SSL.Error:
            self._flush(session.connection, session.address, session.ahead)
            self._give_up(session)
            return False
        finally:
            self._proving = None
        self._shaking.pop(session.address, None)
        before = self._sessions.pop(session.address, None)
        if before is not None:
            before.device = None
        session.device = session.claimed
        self._sessions[session.address] = session
        self._flush(session.connection, session.address, session.ahead)
        if len(self._sessions) > self._most:
            self._end(next(iter(self._sessions.values())))
        return True

    def _give_up(self, session: Session) -> None:
        """Go on with a handshake no more: what another key has encrypted cannot be told from noise, and is not answered."""
        del self._shaking[session.address]
        if session.key is not None:
            self._refuse(session.claimed, "a DTLS client of this name has another key")
        elif session.claimed:
            self._refuse("", f"a DTLS client calls itself {session.claimed!r:.80}, which has no key here")

    def _read(self, session: Session) -> Iterator[bytes]:
        while self._sessions.get(session.address) is session:
            try:
                message = session.connection.recv(_LARGEST)
            except SSL.WantReadError:
                break
            except SSL.Error:  # the device has ended it
                self._end(session)
                return
            if not self._is_current(session):
                return
            self._sessions.move_to_end(session.address)
            yield message
        self._flush(session.connection, session.address, session.ahead)

    def _is_current(self, session: Session) -> bool:
        """Whether the device of a session still has its key; the session ends where not."""
        if self._key_of(session.claimed) == session.key:
            return True
        self._end(session)
        return False

    def _end(self, session: Session) -> None:
        session.device = None
        self._sessions.pop(session.address, None)
        with contextlib.suppress(SSL.Error):
            session.connection.shutdown()
        self._flush(session.connection, session.address, session.ahead)

    def _flush(self, connection: SSL.Connection, address: Address, ahead: int = 0) -> None:
        """Send what OpenSSL has to say, its plain records numbered so much higher."""
        with contextlib.suppress(SSL.WantReadError):
            datagram = connection.bio_read(_LARGEST)
            self._send(_renumbered(datagram, ahead) if ahead else datagram, address)


def _renumbered(datagram: bytes, ahead: int) -> bytes:
    """Add to the numbers of the records that are not encrypted.

    OpenSSL begins with 1 after its cookie, the client's second greeting has a higher number where its first was sent again.
    RFC 6347, 4.2.1 wants ours to begin with that one: the client takes what is lower for a copy of the cookie's record.
    """
    records, at = bytearray(datagram), 0
    while at + _HEADER <= len(records):
        if records[at + 3 : at + 5] == b"\0\0":
            number = slice(at + _NUMBER.start, at + _NUMBER.stop)
            records[number] = (int.from_bytes(records[number]) + ahead).to_bytes(6)
        at += _HEADER + int.from_bytes(records[at + 11 : at + _HEADER])
    return bytes(records)
