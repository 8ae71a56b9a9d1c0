"""Who may send: tokens and DTLS keys in files, OSCORE credentials in folders, and what is done with devices without."""

import contextlib
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple, get_args
from urllib.parse import quote, unquote

from data_nodes.coap.pace import Pace
from sisock.keys.files import write
from sisock.keys.token_file import read_token
from sisock.nodes.devices import check_device

log = logging.getLogger(__name__)
Unknown = Literal["open", "token", "closed"]
FOLDER = "coap"  # of the state directory; below it one for each gateway
_SHARED, TOKENS, OSCORE, DTLS = "token", "tokens", "oscore", "dtls"
_SHORTEST_KEY, _LONGEST_KEY = 16, 128  # characters
_LOOK = 0.5  # seconds between two looks at the folders
_DENIED = 5.0  # looks a second, at the most, as somebody is denied who may just have got a token
_AFRESH = 10.0  # seconds after which files are read anew that somebody may have edited


class Known(NamedTuple):
    """What a device has to prove itself by."""

    token: str | None = None
    has_oscore: bool = False
    key: bytes | None = None
    has_key: bool = False

    @property
    def proves(self) -> str:
        """What the device has to send with; empty where it has no credentials."""
        return "OSCORE credentials" if self.has_oscore else "a DTLS key" if self.has_key else ""


class Denied(Exception):
    """Somebody may not do what was asked; `known`: it is known who it is."""

    def __init__(self, why: str, *, known: bool = False) -> None:
        """Say why."""
        super().__init__(why)
        self.known = known


class Access:
    """The policy of one gateway. Files may come, change and go while it runs."""

    def __init__(self, folder: Path, unknown: Unknown) -> None:
        """Read tokens and credentials in this folder. Raises ValueError for a policy that there is not."""
        if unknown not in get_args(Unknown):
            raise ValueError(f"unknown = {unknown!r:.40}: use one of {', '.join(get_args(Unknown))}")
        self.folder, self.unknown = folder, unknown
        self._known: dict[str | None, Known] = {}  # what was read since something changed
        self._listed: dict[str, frozenset[str]] = {}  # what lies in the folders: of all others nothing is read
        self._denied = Pace(_DENIED)
        self._told = set[str]()  # what was said of files
        self._looked = self._read_all = -_AFRESH
        self._changes: tuple[int, ...] = ()

    def _of(self, device: str | None) -> Known:
        """What there is of a device, or of the gateway, on disk; looked up where something has changed. Raises Denied."""
        if time.monotonic() - self._looked > _LOOK:
            self._look()
        if device is not None and not any(quote(device, safe=":") in names for names in self._listed.values()):
            return Known()
        if device not in self._known:
            with self._readable():
                self._known[device] = self._read(device)
        return self._known[device]

    def _read(self, device: str | None) -> Known:
        token = self._token(token_file(self.folder, device))
        if device is None:
            return Known(token)
        has_oscore = (oscore_folder(self.folder, device) / "settings.json").exists()
        path = dtls_file(self.folder, device)
        has_key = path.exists()
        return Known(token, has_oscore, self._key(path) if has_key else None, has_key)

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        """Let nobody in where it cannot be read who may: who has no key could be taken for who has one."""
        try:
            yield
        except OSError as error:
            self._tell_once(f"{error.filename} cannot be read ({error.strerror}), and nobody may send: let us read it")
            raise Denied("who may send cannot be read here: see the node's log") from error

    def key_of(self, device: str) -> bytes | None:
        """The DTLS key of a device; None where it has none, or its file holds none that can be read. Never raises."""
        try:
            found = self._of(device).key
            return self._of(device).key if found is None and self._look_again() else found
        except Denied:
            return None

    def _key(self, path: Path) -> bytes | None:
        try:
            key = read_token(path, _SHORTEST_KEY)
            if len(key) > _LONGEST_KEY:
                raise ValueError(f"{path} holds more than {_LONGEST_KEY} characters: DTLS keys are shorter")
        except (FileNotFoundError, ValueError) as error:
            self._tell_once(f"{device_of(path)} cannot use its DTLS key: {error}")
            return None
        return key.encode("ascii")

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            log.warning("%s", text)
            self._told.add(text)

    def _token(self, path: Path) -> str | None:
        """The token in a file; None where there is no file, and one that nobody has where it holds none."""
        try:
            return read_token(path)
        except FileNotFoundError:
            return None
        except ValueError as error:
            self._tell_once(f"nobody is let in by the token of {device_of(path)}: {error}")
            return secrets.token_urlsafe(32)

    def _look(self) -> None:
        """See whether something came to the folders, or went. Raises Denied."""
        now = time.monotonic()
        folders = (self.folder, *_below(self.folder))
        with self._readable():
            changes = tuple(each.stat().st_mtime_ns if each.is_dir() else 0 for each in folders)
            if changes != self._changes or now - self._read_all > _AFRESH:
                self._listed = {each.name: frozenset(_names(each)) for each in folders[1:]}
                self._known, self._changes, self._read_all = {}, changes, now
        self._looked = now

    def _look_again(self) -> bool:
        """Look whether somebody who is denied has just got what lets them in; not for each of very many."""
        may = self._denied.allows("", time.monotonic())
        if may:
            self._look()
        return may

    def check(self, device: str, token: str, identity: str | None) -> None:
        """Raise Denied unless a sender may act for this device, DeviceRefused where it can be none.

        identity: the device that OSCORE or DTLS has proved it to be. A device with credentials or a token of its own has to
        use them, whatever the policy.
        """
        check_device(device)
        if identity is not None:
            if identity != device:
                raise Denied(f"{identity} may not send for {device}", known=True)
            return
        try:
            self._check(device, token)
        except Denied:
            if not self._look_again():
                raise
            self._check(device, token)

    def _check(self, device: str, token: str) -> None:
        known = self._of(device)
        own = known.token
        if known.proves:
            raise Denied(f"{device} has {known.proves}: send with {'them' if known.has_oscore else 'it'}")
        if own is not None or self.unknown == "closed":
            if not _same(token, own):
                raise Denied(f"this is no token of {device}" if own else f"{device} is not known here")
        elif self.unknown == "token" and not _same(token, self._of(None).token):
            raise Denied("this is no token of this gateway" if token else "a token is needed: …?token=…")

    def may_look(self, token: str, identity: str | None) -> bool:
        """Whether a sender may see which devices there are. Raises Denied where it cannot be read who may."""
        if identity is not None or self.unknown == "open" or _same(token, self._of(None).token):
            return True
        return self._look_again() and _same(token, self._of(None).token)

    @property
    def lacks_tokens(self) -> bool:
        """Whether nobody can send, as no token and no credentials were made."""
        made = token_file(self.folder).exists() or any(map(_names, _below(self.folder)))
        return self.unknown != "open" and not made


def token_file(folder: Path, device: str | None = None) -> Path:
    """Where the token of a device lies; the one of the gateway, for devices that have none of their own."""
    return folder / TOKENS / quote(device, safe=":") if device else folder / _SHARED


def oscore_folder(folder: Path, device: str) -> Path:
    """Where the gateway's half of a device's OSCORE credentials lies."""
    return folder / OSCORE / quote(device, safe=":")


def dtls_file(folder: Path, device: str) -> Path:
    """Where the key lies by which a device proves itself in DTLS."""
    return folder / DTLS / quote(device, safe=":")


def device_of(path: Path) -> str:
    """The device that a file or folder made by these functions is of."""
    return unquote(path.name)


def make_token(folder: Path, device: str | None = None) -> str:
    """Make a token, in place of the one before."""
    path = token_file(folder, device and check_device(device))
    token = secrets.token_urlsafe(16)
    write(path, token + "\n")
    return token


def make_key(folder: Path, device: str) -> str:
    """Make the DTLS key of a device, in place of the one before."""
    key = secrets.token_hex(16)
    write(dtls_file(folder, check_device(device)), key + "\n")
    return key


def _below(folder: Path) -> tuple[Path, ...]:
    """The folders of what devices prove themselves by."""
    return folder / TOKENS, folder / OSCORE, folder / DTLS


def _names(folder: Path) -> list[str]:
    """What lies in a folder, if there is one."""
    try:
        return [each.name for each in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _same(given: str, wanted: str | None) -> bool:
    """Whether a token is the one wanted, in a time that tells nothing of it."""
    digests = [hashlib.sha256(each.encode("utf-8", "replace")).digest() for each in (given, wanted or "")]
    return hmac.compare_digest(*digests) and wanted is not None
