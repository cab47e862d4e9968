"""Which share of the sources a run takes, a group of `UploadOptions`."""

from typing import Literal

from bulkput.errors import UsageError
from bulkput.option_types import check_fields
from bulkput.record import frozen

ShareBy = Literal["hash", "bytes"]
MOST_SHARDS = 10_000


@frozen(kw_only=True)
class ShareOptions:
    """The share of one run among several that upload the same sources without talking to each other."""

    shard: int
    """Which share this run takes, from 1 to `of`. By default a run takes everything."""
    of: int
    """Into how many shares the sources are split. At most 10 000."""
    by: ShareBy = "hash"
    """How the sources are split. hash goes by the names of files alone, so each run needs to look at no file of another
    one. bytes gives each share about as many bytes: it takes a list, and a look at the size of every file in it."""

    def __post_init__(self) -> None:
        """Raises UsageError."""
        check_fields(self, "share.")
        if not 1 <= self.of <= MOST_SHARDS:
            raise UsageError(f"`share` {self}: there are 1 to {MOST_SHARDS} shards")
        if not 1 <= self.shard <= self.of:
            raise UsageError(
                f"`share` {self}: shards are numbered from 1, here from 1/{self.of} to {self.of}/{self.of}"
            )

    def __str__(self) -> str:
        return f"{self.shard}/{self.of}"
