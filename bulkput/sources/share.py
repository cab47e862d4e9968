"""Takes one shard of what the sources yield. `policy/share.py` says what belongs to it.

    hash     the walk asks before it looks at a file: a file of another shard costs no system call
    bytes    the names of a list ──size of each──> sorted on disk, the largest first ──dealt out──> ours, in order

What names alone do not decide passes in every shard: a directory that cannot be read may hold files of any shard, and
it may be readable on the machines of the others.
"""

import os
from collections.abc import Callable, Iterator
from hashlib import blake2b

from bulkput.model import EmptyDirectoryFound, Found, Skip, SourceFile
from bulkput.options import ShareOptions
from bulkput.policy.share import dealer, shard_of
from bulkput.sources.by_key import in_order, largest_first


class Share:
    """The share of one run. The thread of the scan uses it; its counts are final when the scan has ended."""

    def __init__(self, options: ShareOptions, *, is_of_list: bool) -> None:
        """`is_of_list`: the names come from a list, and not from a walk."""
        self.is_of_list = is_of_list
        self.shard = options.shard
        self.of = options.of
        self.by = options.by
        self.elsewhere = 0
        """Files met so far that belong to other shards."""
        self.split: str | None = None
        """With bytes, and once every name has been dealt out: a digest of all names and sizes. Shards with equal
        digests were cut from equal lists."""

    def takes(self, name: bytes) -> bool:
        """Whether the file `name` belongs to this shard by its hash. Counts those that do not."""
        if shard_of(name, self.of) == self.shard:
            return True
        self.elsewhere += 1
        return False

    def dealt(self, names: Iterator[bytes], size_of: Callable[[bytes], int]) -> Iterator[bytes]:
        """Those of `names` that belong to this shard by their sizes, each once, in bytewise order. All names are read
        and all sizes asked for before the first is yielded. Raises UsageError like `in_order`."""
        digest = blake2b(digest_size=8)

        def ours() -> Iterator[bytes]:
            shard_of_next = dealer(self.of)
            for name, size in largest_first((name, size_of(name)) for name in names):
                digest.update(b"%d %s\0" % (size, name))
                if shard_of_next(size) == self.shard:
                    yield name
                else:
                    self.elsewhere += 1

        yield from in_order(ours())
        self.split = digest.hexdigest()

    def only(self, found: Iterator[Found], roots: list[bytes]) -> Iterator[Found]:
        """What belongs to this shard of what the sources `roots` yield. With bytes, that is everything: `dealt` has
        left out the rest."""
        if self.by == "bytes":
            yield from found
            return
        bases = [os.path.join(root, b"") for root in roots]
        for each in found:
            match each:
                case SourceFile():
                    if self._is_ours(each.name):
                        yield each
                    else:
                        self.elsewhere += not each.is_directory
                case Skip():
                    if self._is_ours(each.name.rstrip(b"/")):
                        yield each
                case EmptyDirectoryFound():
                    if self._is_ours(_below(each.path, bases)):
                        yield each
                case _:
                    yield each

    def _is_ours(self, name: bytes) -> bool:
        return shard_of(name, self.of) == self.shard


def _below(path: bytes, bases: list[bytes]) -> bytes:
    """The name of a directory, relative to its source."""
    return next((path[len(base) :] for base in bases if path.startswith(base)), path)
