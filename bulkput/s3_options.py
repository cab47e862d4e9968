"""The options for S3 alone, a group of `UploadOptions`."""

from typing import Literal, get_args

from bulkput.errors import UsageError
from bulkput.record import frozen

Checksum = Literal["auto", "md5", "crc32c", "crc64nvme", "sha256", "none"]


@frozen(kw_only=True)
class S3Options:
    """How objects are sent to S3. Other stores ignore it."""

    checksum: Checksum = "auto"
    """The checksum by which the store checks the bytes of an object before it stores them. auto sends Content-MD5,
    which all stores know, if the MD5 is known before the first byte is sent. The others send the field
    x-amz-checksum-NAME, which S3 keeps with the object. Some stores refuse it; others ignore it, which a run says
    once. A streamed file is read twice for it. none sends nothing: bulkput alone compares, by the answer's ETag."""
    make_bucket: bool = False
    """Make the bucket if it does not exist. Off by default: all users of Amazon's share one set of names, and a
    misspelt name would become a bucket that costs money."""

    def __post_init__(self) -> None:
        """Raises UsageError."""
        if self.checksum not in get_args(Checksum):
            raise UsageError(f"`s3.checksum` is one of {', '.join(get_args(Checksum))}, not {self.checksum!r}")
