"""Decides without I/O what a mirror does with its extras: objects without a file.

`why_kept` decides about all of them together. The other functions decide about one, after the tables of their own.
"""

from enum import Enum

from bulkput.model import RemoteObject
from bulkput.policy.references import has_same_bytes, is_as_listed
from bulkput.policy.skip import stored_ns


def why_kept(extras: int, most: int | None, *, doubt: str | None, failed: int, is_stopped: bool) -> str | None:
    """The reason to keep all extra objects; None if they are to go, at once or later.

    | the run                                   | then         |
    |-------------------------------------------|--------------|
    | was stopped                               | all are kept |
    | has failures                              | all are kept |
    | left something in doubt                   | all are kept |
    | found more extra objects than are allowed | all are kept |
    | anything else                             | they go      |
    """
    if is_stopped:
        return "the run was stopped"
    if failed:
        return f"{failed} failed"
    if doubt is not None:
        return doubt
    if most is not None and extras > most:
        return f"more than {most}: `skip.max_deleted=None` allows that"
    return None


class Stay(Enum):
    """Whether an extra stays because of its age."""

    NO = "no"
    YOUNG = "young"
    UNKNOWN = "unknown"


def stay_of(row: RemoteObject, keep_for_s: float | None, now_ns: int) -> Stay:
    """Decide by the age of an extra. `now_ns` is the store's clock.

    | the extra                                    | then                                |
    |----------------------------------------------|-------------------------------------|
    | any, if no time is set                       | does not stay                       |
    | does not tell when it was stored             | stays, and makes the run incomplete |
    | was stored less than `keep_for_s` ago        | stays                               |
    | was stored later than now, by another clock  | stays                               |
    | was stored earlier                           | does not stay                       |
    """
    if keep_for_s is None:
        return Stay.NO
    if (age_s := age_s_of(row, now_ns)) is None:
        return Stay.UNKNOWN
    return Stay.YOUNG if age_s < keep_for_s else Stay.NO


def age_s_of(row: RemoteObject, now_ns: int) -> float | None:
    """How long ago the object was stored, in seconds, or None if its row does not tell."""
    stored = stored_ns(row)
    return (now_ns - stored) / 1e9 if stored is not None else None


class Before(Enum):
    """What to do with an extra that is to expire, after a fresh look at it."""

    SET = "set"
    LEAVE = "leave"
    CHANGED = "changed"
    UNDO = "undo"


def before_expiry(row: RemoteObject, now: RemoteObject, at_s: int) -> Before:
    """Decide what to do with the extra that was listed as `row` and is to expire at `at_s`, in seconds since 1970.

    `now` is what a HEAD shows. The request may be one that is made again because its answer was lost: then the object
    expires at `at_s` already, and its time has changed.

    | the HEAD shows                                             | then                                        |
    |------------------------------------------------------------|---------------------------------------------|
    | the object that was listed, which does not expire          | set its expiry                              |
    | the object that was listed, which expires                  | leave it: it keeps the end that it has      |
    | another time only, and the expiry `at_s`                   | leave it: an attempt before has set it      |
    | other bytes, and the expiry `at_s`                         | undo it: an attempt before has hit an       |
    |                                                            | object that was stored meanwhile            |
    | anything else                                              | it was changed: keep it                     |
    """
    if now.expires_at == at_s:
        return Before.LEAVE if has_same_bytes(row, now) else Before.UNDO
    if not is_as_listed(row, now):
        return Before.CHANGED
    return Before.SET if now.expires_at is None else Before.LEAVE


class After(Enum):
    """What has come of the request that lets an extra expire."""

    DONE = "done"
    GONE = "gone"
    REFUSED = "refused"
    CHANGED = "changed"
    UNDO = "undo"


def after_expiry(before: RemoteObject, now: RemoteObject | None, at_s: int) -> After:
    """Compare the object `before` the request with what a HEAD shows after it.

    | the HEAD shows                              | then                                                       |
    |---------------------------------------------|------------------------------------------------------------|
    | nothing                                     | it is gone                                                 |
    | the same bytes, and the expiry `at_s`       | it expires                                                 |
    | the same bytes, and none or another         | the store has not taken it, or somebody has set another    |
    | other bytes, and the expiry `at_s`          | undo it: the object was overwritten before the request     |
    | other bytes, and none or another            | the object was overwritten after the request               |
    """
    if now is None:
        return After.GONE
    if has_same_bytes(before, now):
        return After.DONE if now.expires_at == at_s else After.REFUSED
    return After.UNDO if now.expires_at == at_s else After.CHANGED
