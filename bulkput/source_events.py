"""What an upload meets in its sources beside files. `events` has them all.

Sizes are in bytes.
"""

from typing import Any

from bulkput.record import frozen


@frozen
class EmptyDirectory:
    """A directory is empty, so it leaves no object in the store."""

    path: bytes


@frozen
class NothingFound:
    """The sources (`where`) have no file to send. `is_failure` is True if `fail_if_empty` is set."""

    where: str
    is_failure: bool


@frozen
class Snapshot:
    """A file was written to while it was read. The object has its first `size` bytes: the length it had when it was
    opened."""

    path: bytes
    size: int


@frozen
class OtherShards:
    """The run takes one share of its sources, `shard` of `of`, and `count` files belong to the other shards.

    Told once, after a run that has looked at all of its sources. `split` is set if the share goes by sizes: a digest of
    all names and sizes, which is the same for all shards if they were cut from the same list.
    """

    shard: int
    of: int
    count: int
    split: str | None = None

    def as_json(self) -> dict[str, Any]:
        told = {"event": "other_shards", "shard": f"{self.shard}/{self.of}", "files": self.count}
        return told | ({"split": self.split} if self.split is not None else {})
