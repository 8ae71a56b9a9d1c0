"""OSCORE (RFC 8613): credentials of each device in a folder, made here and read while the gateway runs."""

import json
import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiocoap import credentials, error, oscore
from aiocoap.oscore_sitewrapper import OscoreSiteWrapper

from data_nodes.coap.access import OSCORE, device_of, oscore_folder
from sisock.keys.files import write
from sisock.nodes.devices import check_device

log = logging.getLogger(__name__)
_LOOK = 1.0  # seconds between two looks for credentials that came or went
_SERVER = b""  # the gateway's id in every context; devices have longer ones
_ALGORITHM = "AES-CCM-16-64-128"
Refuse = Callable[[str, str], None]


class Context(oscore.FilesystemSecurityContext):  # type: ignore[misc]  # aiocoap has no types
    """The security context of one device; what it refuses is told."""

    def __init__(self, folder: Path, refuse: Refuse) -> None:
        """Read the folder. Raises ValueError, OSError or filelock.Timeout where that cannot be."""
        self.device, self._refuse = device_of(folder), refuse
        super().__init__(str(folder))

    def unprotect(self, protected_message: Any, request_id: Any = None) -> Any:
        """As aiocoap's, which raises for what is forged or comes again."""
        try:
            return super().unprotect(protected_message, request_id)
        except oscore.ReplayError:
            self._refuse(self.device, "an OSCORE message came again, or after a restart without Echo")
            raise
        except (oscore.ProtectionInvalid, oscore.DecodeError):
            self._refuse(self.device, "an OSCORE message cannot be decrypted: it is forged, or of another key")
            raise

    def close(self) -> None:
        """Note the sequence numbers on disk, and let the folder go."""
        if self.lockfile is not None:
            self._destroy()


class Credentials:
    """The security contexts of all devices, by the id that their messages carry."""

    def __init__(self, folder: Path, refuse: Refuse) -> None:
        """Read those below `oscore/` of a gateway's folder."""
        self._folder, self._refuse = folder / OSCORE, refuse
        self._contexts: dict[Path, Context] = {}
        self._bad: dict[Path, str] = {}
        self._by_id: dict[bytes, Context] = {}
        self._looked = -_LOOK
        self._look()

    def find_oscore(self, unprotected: dict[int, Any]) -> Context:
        """The context of a message, by what stands outside of it. Raises KeyError."""
        if time.monotonic() - self._looked > _LOOK:
            self._look()
        context = self._by_id.get(unprotected.get(oscore.COSE_KID, b""))
        if context is None or unprotected.get(oscore.COSE_KID_CONTEXT) != context.id_context:
            self._refuse("", "an OSCORE message of an unknown id: make credentials for its device")
            raise KeyError("security context")
        return context

    def get(self, name: str, default: Any = None) -> Any:
        """Nothing: there are no credentials for EDHOC."""
        return default

    def close(self) -> None:
        """Let all go."""
        for context in self._contexts.values():
            context.close()
        self._contexts, self._by_id = {}, {}

    def _look(self) -> None:
        self._looked = time.monotonic()
        there = {path.parent for path in self._folder.glob("*/settings.json")}
        for folder in self._contexts.keys() - there:
            gone = self._contexts.pop(folder)
            gone.lockfile = None  # its folder is gone, and there is nothing to note
            log.info("%s has no OSCORE credentials any more", gone.device)
        for folder in there - self._contexts.keys():
            self._open(folder)
        self._bad = {folder: why for folder, why in self._bad.items() if folder in there}
        self._by_id = {context.recipient_id: context for context in self._contexts.values()}

    def _open(self, folder: Path) -> None:
        try:
            self._contexts[folder] = Context(folder, self._refuse)
            self._bad.pop(folder, None)
        except (OSError, ValueError, TypeError) as trouble:  # filelock's Timeout is an OSError
            if self._bad.get(folder) != str(trouble):
                log.warning("the OSCORE credentials in %s cannot be used: %s", folder, trouble)
            self._bad[folder] = str(trouble)


class Protected(OscoreSiteWrapper):  # type: ignore[misc]  # aiocoap has no types
    """The site, for messages with OSCORE and without; keys are not agreed on here (EDHOC)."""

    async def _render_edhoc_to_pipe(self, pipe: Any) -> None:
        raise error.NotFound


def make(folder: Path, device: str) -> dict[str, str]:
    """Make credentials of a device; its half, as files of aiocoap have it. The gateway's half lies in its folder.

    Raises FileExistsError where there are some: the same key must never be used by two.
    """
    path = oscore_folder(folder, check_device(device))
    if path.exists():
        raise FileExistsError(f"{device} has OSCORE credentials: remove them first, or they stay as they are")
    taken = {json.loads(each.read_text()).get("recipient-id_hex") for each in path.parent.glob("*/settings.json")}
    number = next(each for each in iter(lambda: secrets.token_hex(3), None) if each not in taken)
    common = {"algorithm": _ALGORITHM, "salt_hex": secrets.token_hex(8), "secret_hex": secrets.token_hex(16)}
    ours = {"sender-id_hex": _SERVER.hex(), "recipient-id_hex": number, **common}
    write(path / "settings.json", json.dumps(ours, indent=1) + "\n")
    return {"sender-id_hex": number, "recipient-id_hex": _SERVER.hex(), **common}


def client(basedir: Path) -> Any:
    """Credentials by which aiocoap's client speaks to any gateway, of a folder with a device's half in `settings.json`."""
    made = credentials.CredentialsMap()
    made.load_from_dict({"coap://*": {"oscore": {"basedir": str(basedir)}}})
    return made
