"""Whether a file need not be sent, decided without I/O from what is known of the object of its name so far.

`decide_skip` says SEND or SKIP, or names what has to be learnt first; the caller does so and asks again. The first line
that fits:

| mode      | the object                                         | then                                           |
|-----------|----------------------------------------------------|------------------------------------------------|
| any       | is not there, or stands for a directory            | send                                           |
| any       | is a link                                          | HEAD: send where it leads nowhere              |
| existing  | has no hash, and another size than the file        | send: half of it may be there, an upload broke |
| existing  | is there                                           | skip                                           |
| unchanged | was stored before the file was last written        | send                                           |
| unchanged | does not tell when it was stored                   | send                                           |
| both      | is empty, as the file is                           | HEAD: a link or a large object looks so too    |
| unchanged | has the file's size                                | skip                                           |
| identical | has the file's size and, in the listing, its MD5   | skip                                           |
| both      | could be more than its row says (the lines below)  | HEAD, and then as `policy/compare.py` has it   |
| both      | anything else                                      | send                                           |

More than its row says can be: a large or a linked object, one whose ETag is no MD5, an empty one; and any object while
files are sent compressed, since the listing has the size and MD5 of the compressed bytes. Only an object of which it is
*proven* that it has the file's size (unchanged) or bytes (identical) is skipped: whatever is in doubt is sent again.
So is a file whose object reads others that the same run may write to (`engine/upload/indirect.py`): that proof does
not last.
"""

from datetime import UTC, datetime
from enum import Enum
from typing import Literal

from bulkput.events import Verdict
from bulkput.model import Reason, RemoteObject
from bulkput.policy.compare import Evidence, Need, judge
from bulkput.policy.directories import is_marker
from bulkput.policy.etag import md5_of

Mode = Literal["none", "existing", "unchanged", "identical"]
REASONS = {"existing": Reason.EXISTING, "unchanged": Reason.UNCHANGED, "identical": Reason.IDENTICAL}


class SkipDecision(Enum):
    """What is to be done with a file."""

    SEND = "send"
    SKIP = "skip"


def decide_skip(mode: Mode, evidence: Evidence, mtime_ns: int, *, compresses: bool) -> SkipDecision | Need:
    """The table above. `compresses`: the file may be sent compressed in this run."""
    known = evidence.head or evidence.row
    if mode == "none" or evidence.is_gone or is_marker(known):
        return SkipDecision.SEND
    if evidence.head is None and evidence.row.link is not None:
        return Need.HEAD
    if mode == "existing":
        is_in_doubt = known.hash is None and known.large is None and known.bytes != evidence.size
        return SkipDecision.SEND if is_in_doubt else SkipDecision.SKIP
    if mode == "unchanged" and ((stored := stored_ns(known)) is None or stored < mtime_ns):
        return SkipDecision.SEND
    judged = judge(evidence, is_quick=mode == "unchanged")
    if judged is Need.HEAD and not (compresses or _could_be_more(evidence)):
        return SkipDecision.SEND
    if isinstance(judged, Need):
        return judged
    return SkipDecision.SKIP if judged.verdict is Verdict.IDENTICAL else SkipDecision.SEND


def _could_be_more(evidence: Evidence) -> bool:
    row = evidence.row
    return evidence.is_suffixed or row.large is not None or not row.bytes or md5_of(row.hash) is None


def stored_ns(row: RemoteObject) -> int | None:
    """When the object was stored, in nanoseconds since 1970; None where that is not told."""
    try:
        moment = datetime.fromisoformat(row.last_modified or "")
    except ValueError:
        return None
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
