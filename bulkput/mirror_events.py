"""What a mirror does with objects that have no file. `events` has them all.

Sizes are in bytes, times in seconds.
"""

from bulkput.record import frozen


@frozen
class Removed:
    """A mirror removed an object that has no file. In a dry run (`is_dry`), it would have."""

    key: str
    size: int | None
    is_dry: bool


@frozen
class Kept:
    """A mirror did not remove `count` objects that have no file. `key` is the object's name if `why` is about one."""

    count: int
    why: str
    key: str | None = None


@frozen
class KeptYoung:
    """A mirror left an object that has no file because it was stored only `age_s` ago (`skip.keep_for_s`)."""

    key: str
    size: int | None
    age_s: float


@frozen
class Expiring:
    """An object that has no file expires at `at_s`, in seconds since 1970. A mirror has set that (in a dry run,
    `is_dry`, it would have), or the object had an expiry already, and keeps it (not `is_new`)."""

    key: str
    size: int | None
    at_s: int
    is_dry: bool
    is_new: bool = True
