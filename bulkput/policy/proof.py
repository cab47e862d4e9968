"""What has become of a PUT that Swift answered by 201 without proving the bytes, decided from one fresh HEAD.

An answer may be spoilt on its way, so a wrong ETag does not prove that the object is wrong. The first line that fits:

| the HEAD shows                                                     | then                                            |
|--------------------------------------------------------------------|-------------------------------------------------|
| no object                                                          | gone: there is nothing to do                    |
| an answer out of a cache (`Age`)                                   | kept: it tells what was there once              |
| a link, or a large object                                          | kept: no PUT of ours made it                    |
| the MD5 that was sent and its size, not older than the PUT         | stored                                          |
| no MD5                                                             | kept                                            |
| an MD5 that none of our 201s told                                  | kept: another version, perhaps somebody else's  |
| the wrong MD5 that a 201 told, but not its Last-Modified           | kept: the same                                  |
| all of that, but older than the PUT, or nobody knows how old       | kept                                            |
| the wrong MD5 and the time that a 201 told, as old as the PUT      | damaged, if reading it back gives that MD5 too  |

Only a damaged object is removed. The reading back is for a proxy that spoils every ETag in the same way: there HEAD and
201 agree, and only the bytes tell that the object is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from bulkput.errors import UnprovenPut

_SLACK_S = 5.0
"""How far the clocks of a store's machines may differ, with `Date` and `Last-Modified` rounded to seconds."""


class Fate(Enum):
    """What the object is, as far as is proven."""

    STORED = auto()
    DAMAGED = auto()
    GONE = auto()
    KEPT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshHead:
    """An object as a HEAD shows it. `modified` is its Last-Modified as text, `age_s` the answer's own time less the
    object's; None for what the answer does not tell."""

    md5: str | None
    size: int | None
    modified: str | None = None
    age_s: float | None = None
    is_plain: bool = True
    is_cached: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """A fate, and for what is kept the reason in a few words."""

    fate: Fate
    why: str = ""


def prove(puts: Sequence[UnprovenPut], look: FreshHead | None, *, within_s: float | None = None) -> Proof:
    """The table above. `puts` are what 201s said of this object; the first PUT began `within_s` seconds ago."""
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
        # Of the same bytes in an older version an old answer could tell: then a damaged one may lie over it.
        if is_of_our_time or is_recent or not times or look.modified is None:
            return Proof(Fate.STORED)
        return Proof(Fate.KEPT, "it has the right MD5, but seems older than this upload")
    if look.md5 is None:
        return Proof(Fate.KEPT, "a HEAD shows no MD5 of it")
    ours = [put for put in puts if look.md5 == put.etag]
    if not ours:
        return Proof(Fate.KEPT, "it is another version than the store's answers spoke of")
    if look.modified is None or all(look.modified != put.modified for put in ours):
        return Proof(Fate.KEPT, "it is from another time than the store's answers spoke of")
    if not is_recent:
        return Proof(Fate.KEPT, "it seems older than this upload")
    return Proof(Fate.DAMAGED)
