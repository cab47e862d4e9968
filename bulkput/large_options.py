"""The options about large objects and streams, a group of `UploadOptions`."""

from typing import Literal

from bulkput.errors import UsageError
from bulkput.record import frozen

MIB = 1024 * 1024

LargeMode = Literal["auto", "slo", "dlo", "never"]


@frozen(kw_only=True)
class LargeOptions:
    """Which files are sent in parts, as large objects; and streams, whose length is not known."""

    mode: LargeMode = "auto"
    """How a large object is composed. Swift: slo (static) is by a manifest that names each part and its MD5, dlo
    (dynamic) by a prefix of names. auto takes slo, because Swift checks it; dlo where the store has no slo, and on
    Ceph's gateway, which checks neither and shows other programs a wrong size of its slo."""
    above: int = 1024 * MIB
    """Send files of more than this many bytes in parts. 1 GiB: below, a failed request costs little, and one object is
    simpler for everybody than several. Files that the store does not take whole go in parts in any case."""
    part_size: int | None = None
    """The size of a part in bytes. By default 256 MiB of a file: a failed request costs a second at 2 Gbit/s. 32 MiB of
    a stream, since its parts are held in memory. More if the store takes fewer parts (`policy/parts.py`)."""
    parts_at_once: int = 8
    """Parts of one file in flight. Enough for the disks of a cluster, and `wire.concurrency` limits them all."""
    held: int = 160 * MIB
    """Bytes of streams' parts in memory, at most: five parts, of which four are sent while one is filled. A larger part
    is held alone."""
    container: str | None = None
    """Swift: the container of the parts. By default that of the objects, with _segments behind its name."""
    reap: bool = False
    """After the upload, remove the parts of large objects that it has overwritten, if nothing else reads them. Off by
    default, because it looks at all large objects and links of the account. The summary names the parts that stay."""
    expect_size: int | None = None
    """Fail a stream that has not this many bytes, and store nothing of it. By default whatever a pipe gives is all."""
    expect_md5: str | None = None
    """Fail a stream whose bytes do not have this MD5 (hex), and store nothing of it."""

    def __post_init__(self) -> None:
        """Raises UsageError."""
        md5 = self.expect_md5
        if md5 is not None and (len(md5) != 32 or not set(md5.lower()) <= set("0123456789abcdef")):
            raise UsageError(f"`large.expect_md5` is an MD5 in hex, 32 digits, not {md5!r}")
