"""A log of samples on disk, in the order in which they came: written in batches, read by whoever keeps a cursor."""

from sisock.store.journal.disk import JournalError
from sisock.store.journal.file import JournalInUse, JournalTooNew
from sisock.store.journal.journal import MOST_BYTES, Journal

__all__ = ["MOST_BYTES", "Journal", "JournalError", "JournalInUse", "JournalTooNew"]
