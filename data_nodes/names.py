"""Names from outside made fit to name fields."""

import re
from pathlib import PurePath

from sisock.uris import JOINT

_DATE = re.compile(r"(?:^|[/_. -])(?:19|20)\d\d(?:[-_/]?\d\d(?:[-_/]?\d\d)?)?(?=$|[/_. -])")
_TITLE = re.compile(r"(?P<name>.+?)\s*[\[(](?P<units>[^\[\]()]*)[\])]")


def as_field(text: str) -> str:
    """The text as a field's name: printable, without the joint, not too long."""
    printable = text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)
    return printable.replace(JOINT, ":")[:200] or "?"


def without_dates(path: PurePath) -> str:
    """The path without suffix and without the parts of it that are dates; `2017/temp.dat` gives `temp`."""
    name = path.with_suffix("").as_posix()
    return _DATE.sub("", name).strip("/_. -") or name


def split_title(title: str) -> tuple[str, str | None]:
    """Name and units of `name [units]` or `name (units)`."""
    match = _TITLE.fullmatch(title.strip())
    return (match["name"], match["units"].strip() or None) if match else (title.strip(), None)
