"""What was sent of one file."""

from typing import NamedTuple

from bulkput.model import Compression, Stored, Upload


class Sent(NamedTuple):
    """An upload as it was sent, the store's receipt, and size and mtime of the version of the file that was sent."""

    upload: Upload
    stored: Stored
    size: int
    mtime_ns: int
    compression: Compression | None
    parts: int = 0
    found_bytes: int = 0
