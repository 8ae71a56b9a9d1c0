"""How principals go."""

from pathlib import Path

from sisock.keys.invitations import withdraw
from sisock.keys.principals import PAGE, alone
from sisock.uris import check_node


class UnknownError(ValueError):
    """There is nobody of this name; says how to find out who there is."""


def revoke(state: Path, name: object) -> None:
    """Remove the principal of this name, and invitations to be it. Raises ValueError with the cure where that cannot be."""
    known = check_node(name)
    if known in ("hub", PAGE) or (state / "keys" / f"{known}.key").is_file():
        raise ValueError(
            f"{known} is a part of sisock on this machine, which `sisock up` lets in again: leave it out there"
        )
    with alone(state):
        gone = withdraw(state, known)
    if not gone:
        raise UnknownError(f"there is no principal {known!r}: `sisock principal ls` lists them")
