"""Flat records, as JSON or CBOR, and the frames that they are: for whoever sends samples elsewhere or receives them."""

from sisock.records.fields import Refused
from sisock.records.mapping import Mapping
from sisock.records.reading import Made, Received, frames
from sisock.records.writing import Written, written

__all__ = ["Made", "Mapping", "Received", "Refused", "Written", "frames", "written"]
