"""How the commands and parts of sisock end: what each exit code says."""

from enum import IntEnum
from typing import Self


class Exit(IntEnum):
    """Exit codes, the same for every command; each with what it means."""

    def __new__(cls, code: int, meaning: str = "") -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    meaning: str

    OK = 0, "done"
    ERROR = 1, "something failed; the sentence on stderr says what"
    USAGE = 2, "the command line or the configuration is wrong"
    UNKNOWN = 3, "there is no such node or field"
    NO_ANSWER = 4, "no router, no hub or no answer in time"
    NAME_TAKEN = 5, "the hub already has a data node of that name"
    INTERRUPTED = 130, "ended by Ctrl-C"
