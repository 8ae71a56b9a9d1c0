"""DTLS 1.2 with pre-shared keys (RFC 6347, RFC 4279), by OpenSSL: the sessions of devices, as their datagrams come."""

import contextlib
import hmac
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from OpenSSL import SSL

from sisock import interfaces

_CIPHERS = (  # the last is what RFC 7252 asks of every device; OpenSSL admits it at its lowest level only
    b"ECDHE-PSK-CHACHA20-POLY1305:PSK-AES256-GCM-SHA384:PSK-AES128-GCM-SHA256:PSK-CHACHA20-POLY1305:"
    b"PSK-AES128-CCM:PSK-AES128-CCM8:@SECLEVEL=0"
)
_VERSION = 0xFEFD  # DTLS 1.2: records of later ones look otherwise
_ALERT, _HANDSHAKE, _DATA = 21, 22, 23  # types of records
_CLIENT_HELLO = 1  # the type of a message in one
_HEADER = 13  # bytes of a record before its message
_NUMBER = slice(5, 11)  # where in it the record's number is
_MOST_AHEAD = 2**47  # of 2**48 numbers that there are
_MTU = 1280  # bytes, which every network with IPv6 passes on
_LARGEST = 16_384  # bytes of a message in one record
_LARGEST_DATAGRAM = _LARGEST + 2048
_MOST_SHAKING = 200  # handshakes under way
_MOST_OF_ONE = 8  # sessions of one device, which may begin anew without ending the one before
_LONGEST = 10.0  # seconds of a handshake
_COOKIE, _FRESH = 16, 30.0  # bytes of a cookie, and seconds after which there is another
_PSK = "unsigned int (*)(SSL *, const char *, unsigned char *, unsigned int)"
Address = tuple[Any, ...]


class Session:
    """What is agreed on with the device at an address; `device` is None until it has proved which it is."""

    def __init__(self, connection: SSL.Connection, address: Address, hello: bytes, now: float) -> None:
        """Begin with the greeting of a client that has shown that it is at its address."""
        self.connection, self.address, self.hello, self.begun = connection, address, hello, now
        self.ahead = 0  # by how much our record numbers lie behind those of the client
        self.sender = interfaces.sender(str(address[0]))
        self.device: str | None = None
        self.claimed = ""
        self.key: bytes | None = None


class Sessions:
    """The sessions of one socket. `send` sends a datagram to an address.

    `key_of` is the key of a device, None of one that has none; where that changes, its session ends. `refuse` is told of
    devices (empty where none is meant) that could not prove themselves, and why; `ended` of each session that has ended.
    """

    def __init__(
        self,
        key_of: Callable[[str], bytes | None],
        send: Callable[[bytes, Address], None],
        refuse: Callable[[str, str], None],
        ended: Callable[[Session], None],
        most: int,
    ) -> None:
        """Keep at most so many sessions: of more, that which was silent for longest gives way."""
        self._key_of, self._send, self._refuse, self._ended, self._most = key_of, send, refuse, ended, most
        self._shaking: OrderedDict[Address, Session] = OrderedDict()
        self._sessions: OrderedDict[Address, Session] = OrderedDict()
        self._secret, self._greeting = secrets.token_bytes(32), (Address(), 0)  # where that comes from, and when
        self._proving: Session | None = None
        self._context = self._made()

    def _made(self) -> SSL.Context:
        context = SSL.Context(SSL.DTLS_SERVER_METHOD)
        context.set_cipher_list(_CIPHERS)
        context.set_max_proto_version(_VERSION)
        context.set_options((SSL.OP_COOKIE_EXCHANGE or 0) | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET)
        context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_cookie_generate_callback(lambda _: self._cookie())
        context.set_cookie_verify_callback(
            lambda _, given: any(hmac.compare_digest(given, self._cookie(ago)) for ago in (0, 1))
        )
        lib, self._ffi = SSL._lib, SSL._ffi  # type: ignore[attr-defined]  # noqa: SLF001  # pyOpenSSL wraps certificates only
        self._callback = self._ffi.callback(_PSK, self._prove)  # kept for as long as OpenSSL may call it
        lib.SSL_CTX_set_psk_server_callback(context._context, self._callback)  # noqa: SLF001
        return context

    def _cookie(self, ago: int = 0) -> bytes:
        """What only who is at this address can send back: the one of now, or one of before."""
        address, number = self._greeting
        return hmac.digest(self._secret, repr((address, number - ago)).encode(), "sha256")[:_COOKIE]

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
        if not _HEADER < len(datagram) <= _LARGEST_DATAGRAM:
            return
        session, shaking = self._sessions.get(address), self._shaking.get(address)
        if datagram[0] == _HANDSHAKE and datagram[_HEADER] == _CLIENT_HELLO and datagram[3:5] == b"\0\0":
            if all(each is None or datagram[_HEADER:] != each.hello for each in (session, shaking)):
                self._greet(datagram, address, now)
            return
        if session is None or (shaking is not None and not _is_sealed(datagram)):
            session = shaking
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
            self._say(session)

    def tick(self, now: float) -> None:
        """Say again what was not answered, and end what has no key any more, or takes too long; once a second."""
        for session in list(self._shaking.values()):
            if now - session.begun > _LONGEST:
                self._give_up(session)
                continue
            with contextlib.suppress(SSL.Error):
                session.connection.DTLSv1_handle_timeout()
            self._say(session)
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
        self._greeting = address, int(now // _FRESH)
        try:
            connection.DTLSv1_listen()
        except SSL.WantReadError:
            self._flush(connection, address)
            return
        except SSL.Error:
            return
        self._shaking.pop(address, None)
        session = self._shaking[address] = Session(connection, address, datagram[_HEADER:], now)
        session.ahead = min(max(0, int.from_bytes(datagram[_NUMBER]) - 1), _MOST_AHEAD)
        if len(self._shaking) > _MOST_SHAKING:  # who has begun most of them gives up one
            ((sender, _),) = Counter(each.sender for each in self._shaking.values()).most_common(1)
            self._give_up(next(each for each in self._shaking.values() if each.sender == sender))
        self._shake(session)

    def _shake(self, session: Session) -> bool:
        """Go on with a handshake; whether it has come to its end, and the device is who it said."""
        self._proving = session
        try:
            session.connection.do_handshake()
        except SSL.WantReadError:
            self._say(session)
            return False
        except SSL.Error:
            self._say(session)
            self._give_up(session)
            return False
        finally:
            self._proving = None
        del self._shaking[session.address]
        if (before := self._sessions.pop(session.address, None)) is not None:
            self._let_go(before)
        session.device = session.claimed
        self._sessions[session.address] = session
        self._say(session)
        self._make_room(session.device)
        return True

    def _make_room(self, device: str) -> None:
        """End the session that was silent for longest, where these are too many of this device, or of all."""
        own = [each for each in self._sessions.values() if each.device == device]
        if len(own) > _MOST_OF_ONE:
            self._end(own[0])
        elif len(self._sessions) > self._most:
            self._end(next(iter(self._sessions.values())))

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
                self._say(session)
                return
            except SSL.Error:  # the device has ended it
                self._end(session)
                return
            if not self._is_current(session):
                return
            self._sessions.move_to_end(session.address)
            yield message

    def _is_current(self, session: Session) -> bool:
        """Whether the device of a session still has its key; the session ends where not."""
        if self._key_of(session.claimed) == session.key:
            return True
        self._end(session)
        return False

    def _end(self, session: Session) -> None:
        """End a session, and say so to the device."""
        del self._sessions[session.address]
        with contextlib.suppress(SSL.Error):
            session.connection.shutdown()
        self._say(session)
        self._let_go(session)

    def _let_go(self, session: Session) -> None:
        """Keep nothing large of a session that has ended: whoever knows it may remember it for minutes."""
        del session.connection
        session.device = None
        self._ended(session)

    def _say(self, session: Session) -> None:
        """Send what OpenSSL has to say in a session."""
        self._flush(session.connection, session.address, session.ahead)

    def _flush(self, connection: SSL.Connection, address: Address, ahead: int = 0) -> None:
        """Send what OpenSSL has to say, its plain records numbered so much higher."""
        with contextlib.suppress(SSL.WantReadError):
            datagram = connection.bio_read(_LARGEST_DATAGRAM)
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


def _is_sealed(datagram: bytes) -> bool:
    """Whether this is encrypted, and no part of a handshake: what another handshake at the address takes nothing away from."""
    return datagram[0] in (_ALERT, _DATA) and datagram[3:5] != b"\0\0"
