"""Decides whether an object lives as long as the run wants its objects to live, so that its file may be skipped.

| the object                 | file has no expiry | the same; extras expire | file has a lifetime                    |
|----------------------------|--------------------|-------------------------|----------------------------------------|
| has expired, but is listed | send               | send                    | send                                   |
| expires                    | skip               | send                    | send if below nine tenths of it remain |
| does not expire            | skip               | skip                    | skip                                   |

Extras expire with `skip.expire_extra_s`. A file that was away and is here again may have an object that an earlier run
lets expire. If it were skipped, it would vanish under its readers.

The tenth is a tolerance. A run that is repeated after a failure does not send everything again; a nightly run with
`headers.expires_in_s` of a week does. Times are compared by this machine's clock.
"""

from bulkput.model import ObjectHeaders, RemoteObject
from bulkput.options import HeaderOptions, UploadOptions

LIFE_MARGIN_S = 7 * 86_400
"""Segments of a large object that expires live this much longer than it: they are stored before it."""
_ENOUGH = 0.9
"""Share of the wanted lifetime that must be left."""


def wanted_life_s(headers: HeaderOptions | ObjectHeaders, now_s: float) -> float | None:
    """The lifetime that these headers set, in seconds from `now_s` (seconds since 1970) on. None if they set none."""
    if headers.expires_in_s is not None:
        return headers.expires_in_s
    given = {name.lower(): value.strip() for name, value in headers.extra}
    if (after := given.get("x-delete-after", "")).isdecimal():
        return int(after)
    if (at := given.get("x-delete-at", "")).isdecimal():
        return int(at) - now_s
    return None


def shortest_life_s(options: UploadOptions) -> int | None:
    """The shortest lifetime that an object of the run may get by an option or a rule, in seconds. None if none gets
    one."""
    lives = (options.headers.expires_in_s, *(rule.expires_in_s for rule in options.rules))
    return min((life_s for life_s in lives if life_s is not None), default=None)


def lives_long_enough(
    head: RemoteObject | None, wanted_s: float | None, now_s: float, *, extras_expire: bool = False
) -> bool:
    """Apply the table above. `head` is None if the object does not exist."""
    if head is None:
        return False
    if head.expires_at is None:
        return True
    if wanted_s is None:
        return not extras_expire
    return head.expires_at - now_s >= _ENOUGH * wanted_s
