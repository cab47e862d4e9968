"""Whether an object that would be skipped lives as long as this run wants its objects to live.

| the object                  | the run says nothing | the run wants it to live so long                    |
|-----------------------------|----------------------|-----------------------------------------------------|
| has expired, is listed yet  | send                 | send                                                |
| expires                     | skip                 | send, where less than nine tenths of that are left  |
| does not expire             | skip                 | skip                                                |

A tenth, so that a run which is made again after a failure does not send everything again, and one that is made every
night with `headers.expires_in_s` of a week does. Times are compared by this machine's clock.
"""

from bulkput.model import RemoteObject
from bulkput.options import HeaderOptions

_ENOUGH = 0.9


def wanted_life_s(headers: HeaderOptions, now_s: float) -> float | None:
    """So many seconds from `now_s` on (since 1970); None: nothing is said of it."""
    if headers.expires_in_s is not None:
        return headers.expires_in_s
    given = {name.lower(): value.strip() for name, value in headers.extra}
    if (after := given.get("x-delete-after", "")).isdecimal():
        return int(after)
    if (at := given.get("x-delete-at", "")).isdecimal():
        return int(at) - now_s
    return None


def lives_long_enough(head: RemoteObject | None, wanted_s: float | None, now_s: float) -> bool:
    """The table above; `head` is None where the object is gone."""
    if head is None:
        return False
    if head.expires_at is None or wanted_s is None:
        return True
    return head.expires_at - now_s >= _ENOUGH * wanted_s
