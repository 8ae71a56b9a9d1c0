"""Tokens as they stand in files of others: one line of printable ASCII."""

from pathlib import Path

_MOST = 65_536  # bytes that are read


def read_token(path: Path, least: int = 1) -> str:
    """The token in a file, of so many characters or more, without what surrounds it.

    Raises FileNotFoundError where there is no file, ValueError with the cure where it holds none or cannot be read.
    """
    try:
        with path.open("rb") as file:
            token = file.read(_MOST).decode("ascii", "replace").strip()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(error.errno, error.strerror, str(path)) from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): let us read it") from error
    if len(token) < least or not token.isascii() or not token.isprintable():
        more = f", {least} or more letters and digits" if least > 1 else ""
        raise ValueError(f"{path} holds no token: write one line of printable ASCII text to it{more}")
    return token
