"""Tokens as they stand in files of others: one line of printable ASCII."""

import os
import stat
from pathlib import Path

_MOST = 65_536  # bytes that are read


def read_token(path: Path, least: int = 1) -> str:
    """The token in a file, of so many characters or more, without what surrounds it.

    Raises FileNotFoundError where there is no file, ValueError with the cure where it holds none or cannot be read.
    """
    try:
        with open(path, "rb", opener=_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError(f"{path} is no file: put one there that holds the token")
            token = file.read(_MOST).decode("ascii", "replace").strip()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(error.errno, error.strerror, str(path)) from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): let us read it") from error
    if len(token) < least or not token.isascii() or not token.isprintable():
        more = f", {least} or more letters and digits" if least > 1 else ""
        raise ValueError(f"{path} holds no token: write one line of printable ASCII text to it{more}")
    return token


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for anybody: a pipe would keep who reads it until somebody writes."""
    return os.open(path, flags | os.O_NONBLOCK)
