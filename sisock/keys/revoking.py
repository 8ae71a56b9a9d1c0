"""How principals go."""

import contextlib
from pathlib import Path

from sisock.keys.entry import texts
from sisock.keys.invitations import withdraw, withdraw_invitations
from sisock.keys.key import key_file, public_here
from sisock.keys.principals import PAGE, alone, load_principal, save_principal
from sisock.uris import check_principal

_OTHER_WAYS = ("certificate", "wampcra", "password", "token")  # by which another machine may sign in, too


class UnknownError(ValueError):
    """There is nobody of this name; says how to find out who there is."""


def revoke(state: Path, name: object) -> Path | None:
    """Remove the principal of this name, and invitations to be it.

    Where this machine has a key that it signs in by, only what others have is taken back: the file of that key comes back,
    and the principal stays with it. Raises ValueError with the cure where nothing can be taken back.
    """
    known = check_principal(name)
    here = public_here(state, known)
    with alone(state):
        stays = here is not None and here in _keys(state, known)
        if known not in ("hub", PAGE) and not stays:
            if not withdraw(state, known):
                raise UnknownError(f"there is no principal {known!r}: `sisock principal ls` lists them")
            return None
        taken = withdraw_invitations(state, known)
        entry = load_principal(state, known) or {}
        left = {what: value for what, value in entry.items() if what not in _OTHER_WAYS} | {"keys": [here]}
        if stays and left != entry:
            save_principal(state, known, left)
        elif not taken:
            raise ValueError(f"{known} is a part of sisock on this machine, which {_cure(state, known)}")
    return key_file(state, known)


def _keys(state: Path, name: str) -> tuple[str, ...]:
    """The keys by which it signs in; none where its file is broken, which is nothing to keep."""
    with contextlib.suppress(ValueError):
        return texts(name, load_principal(state, name) or {}, "keys", ())
    return ()


def _cure(state: Path, name: str) -> str:
    if name in ("hub", PAGE):
        return "`sisock up` lets in again: leave it out there"
    return f"is let in again at its next start: leave that out, remove {key_file(state, name)}, and revoke it then"
