"""Names from outside made fit to name fields."""

from sisock.uris import JOINT


def as_field(text: str) -> str:
    """The text as a field's name: printable, without the joint, not too long."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in text)
    return printable.replace(JOINT, ":")[:200] or "?"
