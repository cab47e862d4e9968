"""Guesses in which parts an object was sent, from its size and the number of its parts.

All parts are equal but for the last, which may be smaller. `layouts` gives the sizes of the parts that the object may
have had, likeliest first:

| the store                                      | then                                                                |
|------------------------------------------------|---------------------------------------------------------------------|
| tells the sizes, and they add up               | those, and no other: they are certain                               |
| does not, and there is one part                | the whole object                                                    |
| does not                                       | `_MOST` guesses: sizes that programs choose by themselves, then     |
|                                                | whole MiB, the roundest first                                       |

Of many parts one guess is right: 1 000 parts of an object of 7.9 GiB had 8 MiB each, or no whole MiB. Of two or three
parts many sizes are possible, and a file that is cut in a way of its own is not recognised.

One part is no certainty: a store that does not compute MD5s (MinIO with `--no-compat`) gives a random `<hex>-1`.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from bulkput.options import MIB
from bulkput.policy.parts import FILE_PART, STREAM_PART, Cut
from bulkput.record import frozen

_MOST = 4
"""Guesses for one object: the file is read once for each, until one is right."""
_DEFAULTS = (
    8 * MIB,  # aws-cli, boto3 (s3transfer), AWS's common runtime, mountpoint
    FILE_PART,
    STREAM_PART,
    5 * MIB,  # rclone, AWS's SDKs for Go and JavaScript
    16 * MIB,  # minio-go and mc
    50 * MIB,  # s5cmd
    15 * MIB,  # s3cmd
    64 * MIB,  # Hadoop's s3a, MinIO's SDK for Java
    128 * MIB,  # older versions of mc
    10 * MIB,  # s3fs-fuse
    100 * MIB,  # what AWS's documentation advises
)
_MOST_PARTS = 10_000
"""Of an object in S3."""


@frozen
class Layouts:
    """The sizes of the parts that an object may have had, in their order. `are_certain`: the store has told them."""

    each: tuple[tuple[int, ...], ...]
    are_certain: bool = False


def layouts(size: int, count: int, told: Sequence[int] | None) -> Layouts:
    """Apply the table above to an object of `size` bytes in `count` parts. `told`: what the store says."""
    if told is not None and len(told) == count and sum(told) == size:
        return Layouts((tuple(told),), are_certain=count > 1)
    if count == 1:
        return Layouts(((size,),))
    guessed = islice(dict.fromkeys(_part_sizes(size, count)), _MOST)
    return Layouts(tuple(tuple(part.size for part in Cut(size, part_size)) for part_size in guessed))


def _part_sizes(size: int, count: int) -> Iterator[int]:
    """Sizes of parts of which `count` make an object of `size` bytes, likeliest first; some come twice. Lazy: of few
    parts of a large object they may be millions."""
    least, most = -(-size // count), (size - 1) // (count - 1)
    # AWS's SDK for Go enlarges parts to no round number, if there would be too many.
    for part_size in (*_DEFAULTS, size // _MOST_PARTS + 1 if count > _MOST_PARTS // 2 else 0):
        if least <= part_size <= most:
            yield part_size
    step = MIB << max(0, (most // MIB).bit_length() - 1)
    while step >= MIB:
        yield from range(-(-least // step) * step, most + 1, step)
        step //= 2
