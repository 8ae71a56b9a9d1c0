"""The page under "/": the built files of a folder, and nothing else."""

from typing import Any

from twisted.web.pages import forbidden
from twisted.web.static import Data, File

from sisock.keys.invitations import AUTHORITY
from sisock.router.doors import host_allowed
from sisock.router.policy import rights

HEADERS = {
    "Cache-Control": "no-cache",  # asks again after an update; unchanged files are not sent again
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",  # the address carries the token
    "X-Content-Type-Options": "nosniff",
}


class Page(File):  # type: ignore[misc]  # Twisted is untyped to mypy
    """Serves the folder named in `extra`; it may come into being later."""

    def __init__(self, extra: dict[str, Any] | str, *args: Any, **more: Any) -> None:
        folder = extra["folder"] if isinstance(extra, dict) else extra
        super().__init__(folder, *args, **more)
        self.contentTypes = {**File.contentTypes, ".js": "text/javascript", ".svg": "image/svg+xml"}

    def getChild(self, path: bytes, request: Any) -> Any:
        host = request.getHeader(b"host")
        if not host_allowed(rights().settings, host.decode("latin-1") if host else None):
            return forbidden(message="this is not a name of the router: open the address that `sisock up` printed")
        root = rights().settings.state / "ca" / "root.pem"
        if path == AUTHORITY.encode() and root.is_file():  # public: who enrolls compares its SHA-256
            return Data(root.read_bytes(), "application/x-pem-file")
        if path.startswith(b".") or not _text(path):
            return self.childNotFound
        return super().getChild(path, request)

    def directoryListing(self) -> Any:
        return self.childNotFound

    def render_GET(self, request: Any) -> Any:
        for name, value in HEADERS.items():
            request.setHeader(name, value)
        return super().render_GET(request)

    render_HEAD = render_GET


def _text(path: bytes) -> bool:
    try:
        return path.decode().isprintable()
    except UnicodeDecodeError:
        return False
