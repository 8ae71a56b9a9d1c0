"""Texts of others as terminals and logs may have them: nothing in them moves a cursor or clears a screen."""


def printable(text: str, keep: str = "") -> str:
    """The text with whatever cannot be printed as Python writes it, but for what is to be kept."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in keep else ascii(letter)[1:-1] for letter in text)
