"""Decides without I/O whether a file may be skipped, from what is known so far of the object of its name.

`decide_skip` says SEND or SKIP, or names the evidence that it needs next; the caller fetches that and asks again. The
first line that fits:

| mode      | the object                                         | then                                           |
|-----------|----------------------------------------------------|------------------------------------------------|
| any       | does not exist, or is a directory's marker         | send                                           |
| any       | is a link                                          | HEAD: send if its target is missing            |
| existing  | has no hash, and not the file's size               | send: an upload may have broken off half-way   |
| existing  | exists                                             | skip                                           |
| unchanged | was stored before the file was last written        | send                                           |
| unchanged | does not tell when it was stored                   | send                                           |
| comparing | is empty, as the file is                           | HEAD: it may be a link or a large object       |
| unchanged | has the file's size                                | skip                                           |
| identical | has the file's size and, in the listing, its MD5   | skip                                           |
| comparing | may be more than its row shows (see below)         | HEAD, then as `policy/compare.py` decides      |
| comparing | anything else                                      | send                                           |

The comparing modes are unchanged and identical. An object may be more than its row shows if it is large, a link or
empty, or if its ETag is no MD5; but one with the ETag of parts (`<hex>-3`) and another size is different. While files
are sent compressed, every object may be: the listing has the size and MD5 of the compressed bytes.

In a comparing mode a file is skipped only if the object is *proven* to have its size (unchanged) or its bytes
(identical); in doubt it is sent. It is also sent if its object reads others to which the same run may write, because
then the proof does not last (`engine/upload/indirect.py`).
"""

from datetime import UTC, datetime
from enum import Enum
from typing import assert_never

from bulkput.events import Verdict
from bulkput.model import Reason, RemoteObject
from bulkput.options import SkipMode
from bulkput.policy.compare import Evidence, Need, judge
from bulkput.policy.directories import is_marker
from bulkput.policy.etag import md5_of, parts_in

REASONS: dict[SkipMode, Reason] = {
    "existing": Reason.EXISTING,
    "unchanged": Reason.UNCHANGED,
    "identical": Reason.IDENTICAL,
}
"""The reason that is reported for a skipped file. `none` skips no file."""
COMPARING: frozenset[SkipMode] = frozenset(("unchanged", "identical"))
"""Modes that compare file and object. `existing` takes any object for good."""


class SkipDecision(Enum):
    """What to do with a file."""

    SEND = "send"
    SKIP = "skip"


def decide_skip(mode: SkipMode, evidence: Evidence, mtime_ns: int, *, compresses: bool) -> SkipDecision | Need:
    """Apply the table above. `compresses`: this run may send the file compressed."""
    known = evidence.head or evidence.row
    if mode == "none" or evidence.is_gone or is_marker(known):
        return SkipDecision.SEND
    if evidence.head is None and evidence.row.link is not None:
        return Need.HEAD
    match mode:
        case "existing":
            is_in_doubt = known.hash is None and known.large is None and known.bytes != evidence.size
            return SkipDecision.SEND if is_in_doubt else SkipDecision.SKIP
        case "unchanged":
            # `known` is the target's HEAD if the object is a link: then the time is the target's as well.
            if (stored := stored_ns(known)) is None or stored < mtime_ns:
                return SkipDecision.SEND
        case "identical":
            pass
        case _:
            assert_never(mode)
    judged = judge(evidence, is_quick=mode == "unchanged")
    if judged is Need.HEAD and not (compresses or _could_be_more(evidence)):
        return SkipDecision.SEND
    if isinstance(judged, Need):
        return judged
    return SkipDecision.SKIP if judged.verdict is Verdict.IDENTICAL else SkipDecision.SEND


def _could_be_more(evidence: Evidence) -> bool:
    row = evidence.row
    if evidence.is_suffixed or row.large is not None or not row.bytes:
        return True
    return md5_of(row.hash) is None and (parts_in(row.hash) is None or row.bytes == evidence.size)


def stored_ns(row: RemoteObject) -> int | None:
    """When the object was stored, in nanoseconds since 1970, or None if the row does not tell."""
    return moment_ns(row.last_modified)


def moment_ns(text: str | None) -> int | None:
    """A time in ISO 8601, of UTC if it has no zone, in nanoseconds since 1970; None if the text is none."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
