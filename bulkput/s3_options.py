"""The options for S3 alone, a group of `UploadOptions`."""

from typing import Literal, get_args

from bulkput.errors import UsageError
from bulkput.record import frozen

Checksum = Literal["auto", "md5", "crc32c", "crc64nvme", "sha256", "none"]


@frozen(kw_only=True)
class S3Options:
    """How objects are sent to S3. Other stores ignore it."""

    checksum: Checksum = "auto"
    """What the store checks the bytes of an object by, before it stores them. auto sends Content-MD5, which all stores
    know, if the MD5 is known before the first byte is sent. The others send the field x-amz-checksum-NAME, which S3
    keeps with the object. Some stores refuse it, and some ignore it, which a run says once. A streamed file is read
    twice for it. none leaves the check to the comparison of the answer's ETag."""
    make_bucket: bool = False
    """Make the bucket if it does not exist. Off by default: the names of buckets are those of the whole world, and a
    misspelt one would be made, and be paid for."""

    def __post_init__(self) -> None:
        """Raises UsageError."""
        if self.checksum not in get_args(Checksum):
            raise UsageError(f"`s3.checksum` is one of {', '.join(get_args(Checksum))}, not {self.checksum!r}")
