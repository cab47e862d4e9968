"""Which shard a file belongs to: a function of values that every machine knows, so that no run asks another one.

By hash, the name alone decides. The name is relative to the source, with parts joined by `/`, as bytes on disk; that of
a single file is its last part, that of a directory has no slash at its end.

    shard = (the first 4 bytes of the MD5 of the name, as a big-endian number) modulo N, plus 1

| name          | MD5 begins | of 2 | of 4 | of 10 |
|---------------|------------|------|------|-------|
| `a.txt`       | `a5e54d1f` | 2    | 4    | 8     |
| `docs/a.txt`  | `f1a683dc` | 1    | 1    | 9     |

Four bytes fit the whole numbers of every shell and of JavaScript. Of 10 000 shards, the largest share of all names is
larger than the smallest by less than 3 in a million.

By bytes, the files of a list are dealt out, the largest first, each to the shard that has least so far.
"""

from collections.abc import Callable
from hashlib import md5
from heapq import heapreplace

from bulkput.errors import UsageError
from bulkput.options import UploadOptions

FILE_WEIGHT = 64 * 1024
"""Bytes that a file weighs beside its own: about as many can be sent while one request waits for its answer. Without
it, all empty files of a list would belong to one shard."""


def shard_of(name: bytes, of: int) -> int:
    """The shard, from 1 to `of`, of the file with this name. 1 us."""
    return int.from_bytes(md5(name, usedforsecurity=False).digest()[:4], "big") % of + 1


def dealer(of: int) -> Callable[[int], int]:
    """A function that is called with the size of each file in turn, and returns its shard: that with the least weight
    so far, of several that with the lowest number.

    If the largest file comes first and the smallest last, the heaviest shard weighs at most 4/3 of what it would in the
    best of all splits (Graham 1969: LPT).
    """
    loads = [(0, shard) for shard in range(1, of + 1)]  # sorted, so it is a heap

    def next_shard(size: int) -> int:
        load, shard = loads[0]
        heapreplace(loads, (load + size + FILE_WEIGHT, shard))
        return shard

    return next_shard


def check_share(options: UploadOptions) -> None:
    """Raises UsageError for options that have to see all files, or more than a share of them.

    | option                                     | why not with a share                                            |
    |--------------------------------------------|-----------------------------------------------------------------|
    | `skip.delete_extra`, `skip.expire_extra_s` | the objects of other shards have no file here: they would go    |
    | `manifest`                                 | each shard would put one over those of the others               |
    | `last`                                     | nobody knows whether the other shards are done                  |
    | `share.by='bytes'` without `files`         | sizes are compared before the first file is sent                |
    | that, if two files may share an object     | two shards would send them, and neither would notice            |
    """
    share = options.share
    if share is None:
        return
    if options.skip.is_mirror:
        raise UsageError(
            f"`share` and {options.skip.mirror_option} exclude each other: it would remove what other shards have sent."
            " When all shards are done, run one upload without `share`, with `skip.mode='unchanged'` and"
            f" {options.skip.mirror_option}"
        )
    if options.manifest is not None:
        raise UsageError(
            "`share` and `manifest` exclude each other: a manifest lists all that was published, and a shard sends only"
            " its share. When all shards are done, run one upload without `share`, with `skip.mode='unchanged'` and"
            " `manifest`"
        )
    if options.last:
        raise UsageError(
            "`share` and `last` exclude each other: a shard does not know when the others are done. Leave these files"
            " out with `walk.exclude`, and send them when all shards are done"
        )
    if share.by != "bytes":
        return
    if options.files is None and not options.retry_failed:  # what has failed is of this shard already
        raise UsageError(
            "`share.by='bytes'` needs a list of all files, the same on each machine: name it with `files`, or leave out"
            " `share.by`, and names decide"
        )
    if options.gzip.adds_suffix and (options.gzip.exclude or options.dir_markers):
        raise UsageError(
            "`share.by='bytes'` does not see that two files get one object name, which `gzip.store_as='suffix'` with"
            " `gzip.exclude` or `dir_markers` may give them: leave out `share.by`, and names decide"
        )
