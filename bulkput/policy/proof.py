"""Decides from one fresh HEAD what became of a PUT that Swift answered by 201 without proving the bytes.

A proxy may spoil an answer, so a wrong ETag does not prove that the object is wrong. The first line that fits:

| the HEAD shows                                                     | then                                            |
|--------------------------------------------------------------------|-------------------------------------------------|
| no object                                                          | gone: there is nothing to do                    |
| an answer from a cache (`Age`)                                     | kept: it may show an earlier state              |
| a link, or a large object                                          | kept: no PUT of ours made it                    |
| the MD5 and size that were sent, but it seems older than the PUT   | kept                                            |
| the MD5 and size that were sent                                    | stored                                          |
| no MD5                                                             | kept                                            |
| an MD5 that none of our 201s had                                   | kept: another version, perhaps somebody else's  |
| the wrong MD5 of a 201, but not its Last-Modified                  | kept: the same                                  |
| both, but older than the PUT, or of unknown age                    | kept                                            |
| both, and as old as the PUT                                        | damaged, if reading it back gives that MD5, too |

Only a damaged object is removed. The caller reads it back because a proxy may spoil every ETag in the same way: then
the HEAD agrees with the 201, and only the bytes show that the object is right.
"""

from collections.abc import Sequence
from enum import Enum, auto

from bulkput.errors import UnprovenPut
from bulkput.record import frozen

_SLACK_S = 5.0
"""Seconds by which the clocks of a store's machines may differ, rounding of `Date` and `Last-Modified` included."""


class Fate(Enum):
    """The proven state of the object. KEPT: nothing is proven, so it is left alone."""

    STORED = auto()
    DAMAGED = auto()
    GONE = auto()
    KEPT = auto()


@frozen(kw_only=True)
class FreshHead:
    """An object as a HEAD shows it.

    `md5` is in hex, `size` in bytes. `modified` is its Last-Modified as text. `age_s` is the answer's Date minus the
    object's time, in seconds. A field is None if the answer does not tell it. `is_plain`: neither a link nor a large
    object. `is_cached`: a cache answered.
    """

    md5: str | None
    size: int | None
    modified: str | None = None
    age_s: float | None = None
    is_plain: bool = True
    is_cached: bool = False


@frozen
class Proof:
    """A fate; for KEPT with the reason in a few words."""

    fate: Fate
    why: str = ""


def prove(puts: Sequence[UnprovenPut], look: FreshHead | None, *, within_s: float | None = None) -> Proof:
    """Apply the table above. `puts` are our PUTs of this object; the first one began `within_s` seconds ago."""
    if look is None:
        return Proof(Fate.GONE)
    if look.is_cached:
        return Proof(Fate.KEPT, "a cache answered the HEAD")
    if not look.is_plain:
        return Proof(Fate.KEPT, "it is a link or a large object")
    is_recent = within_s is not None and look.age_s is not None and look.age_s <= within_s + _SLACK_S
    times = {put.modified for put in puts} - {None}
    is_of_our_time = look.modified in times
    if any((look.md5, look.size) in ((put.md5, put.size), (put.md5, None)) for put in puts):
        # An old answer may show an older version with the same bytes, while the current version is damaged.
        if is_of_our_time or is_recent or not times or look.modified is None:
            return Proof(Fate.STORED)
        return Proof(Fate.KEPT, "it has the right MD5, but seems older than this upload")
    if look.md5 is None:
        return Proof(Fate.KEPT, "a HEAD shows no MD5 of it")
    ours = [put for put in puts if look.md5 == put.etag]
    if not ours:
        return Proof(Fate.KEPT, "it is another version than the answer to the PUT showed")
    if look.modified is None or all(look.modified != put.modified for put in ours):
        return Proof(Fate.KEPT, "its time is not the one that the answer to the PUT showed")
    if not is_recent:
        return Proof(Fate.KEPT, "it seems older than this upload")
    return Proof(Fate.DAMAGED)
