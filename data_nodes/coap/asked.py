"""What a request says beside its payload: the words of its query, and its content format."""

import math
from collections.abc import Iterable

from data_nodes import readings
from data_nodes.coap.gateway import Post
from data_nodes.readings import Hints, Unreadable

SENML_JSON, SENML_CBOR = 110, 112  # RFC 8428, section 12.3
_FORMS = {
    None: None, 42: None, 0: readings.TEXT, 50: readings.JSON, 60: readings.CBOR,
    110: readings.JSON, 111: readings.JSON, 112: readings.CBOR, 113: readings.CBOR,
}  # fmt: skip
_WORDS = ("token", "seq", "boot", "n", "u", "every")
_LONGEST = 200  # characters of a word


def form(content_format: int | None) -> str | None:
    """The form of a payload by its content format; None where it has to be guessed. Raises Unreadable."""
    number = None if content_format is None else int(content_format)
    if number not in _FORMS:
        raise Unreadable(f"the content format {number} is not understood: send SenML (110, 112) or text (0)")
    return _FORMS[number]


def words(query: Iterable[str]) -> dict[str, str]:
    """The words of a query, `seq=17`. Raises Unreadable."""
    found: dict[str, str] = {}
    for each in query:
        key, equals, value = each.partition("=")
        if key not in _WORDS or not equals or key in found or len(value) > _LONGEST:
            raise Unreadable(f"{key!r:.40} is not understood in a query: there are {', '.join(_WORDS)}, once each")
        found[key] = value
    return found


def token(query: Iterable[str]) -> str:
    """The token in a query, whatever else is in it."""
    return next((each.partition("=")[2][:_LONGEST] for each in query if each.startswith("token=")), "")


def post(given: dict[str, str], payload: bytes, as_form: str | None, device: str | None) -> Post:
    """The message that these words go with. Raises Unreadable."""
    hints = Hints(given.get("n") or Hints().name, given.get("u"), _seconds(given.get("every", "0")))
    number = _whole(given["seq"]) if "seq" in given else None
    return Post(payload, as_form, device, None, given.get("token", ""), number, given.get("boot", ""), hints)


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise Unreadable(f"seq={text:.40} is no number: count messages with whole numbers")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= 86400:
        raise Unreadable(f"every={text:.40} is no number of seconds, from 0 to 86400")
    return seconds
