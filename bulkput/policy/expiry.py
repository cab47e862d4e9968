"""Decides whether an object lives as long as the run wants its objects to live, so that its file may be skipped.

| the object                 | no expiry is set | the same, and extras expire | the run sets a lifetime            |
|----------------------------|------------------|-----------------------------|------------------------------------|
| has expired, but is listed | send             | send                        | send                               |
| expires                    | skip             | send                        | send if below nine tenths are left |
| does not expire            | skip             | skip                        | skip                               |

Extras expire with `skip.expire_extra_s`. A file that was away and is here again may have an object that an earlier run
lets expire. If it were skipped, it would vanish under its readers.

The tenth is a tolerance. A run that is repeated after a failure does not send everything again; a nightly run with
`headers.expires_in_s` of a week does. Times are compared by this machine's clock.
"""

from bulkput.model import RemoteObject
from bulkput.options import HeaderOptions

LIFE_MARGIN_S = 7 * 86_400
"""Segments of a large object that expires live this much longer than it: they are stored before it."""
_ENOUGH = 0.9
"""Share of the wanted lifetime that must be left."""


def wanted_life_s(headers: HeaderOptions, now_s: float) -> float | None:
    """The lifetime that the run sets, in seconds from `now_s` (seconds since 1970) on. None if it sets none."""
    if headers.expires_in_s is not None:
        return headers.expires_in_s
    given = {name.lower(): value.strip() for name, value in headers.extra}
    if (after := given.get("x-delete-after", "")).isdecimal():
        return int(after)
    if (at := given.get("x-delete-at", "")).isdecimal():
        return int(at) - now_s
    return None


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
