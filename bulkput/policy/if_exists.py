"""Decides what becomes of a file if an object of its name is there already. The first line that fits:

| `if_exists` | the object that is there                 | then                                                    |
|-------------|------------------------------------------|---------------------------------------------------------|
| any         | is this run's, and holds what was sent   | stored: the answer to an earlier attempt was lost       |
| any         | is this run's, and holds something else  | failed: the file has changed between two attempts       |
| skip        | is anything else                         | skipped                                                 |
| differs     | holds what the file holds                | skipped                                                 |
| fail,       | is anything else                         | failed                                                  |
| differs     |                                          |                                                         |

An object is this run's if it carries the mark that this run stores with each object (`MARK`). A store that keeps no
metadata cannot tell: there an object that holds what was sent counts as this run's if an earlier attempt was made.
"""

from enum import Enum

from bulkput.model import Fields, Reason, RemoteObject
from bulkput.options import IfExists

MARK = "Public-Bulkput-Run"
"""The metadata that names the run that has stored an object. Its value is random. Through a temporary URL Swift shows
only metadata of such names (swift/common/middleware/tempurl.py, DEFAULT_OUTGOING_ALLOW_HEADERS)."""


class Outcome(Enum):
    """What becomes of the file."""

    STORED = "stored"
    CHANGED = "changed between two attempts"
    SKIPPED = "skipped"
    FAILED = "failed"


def needs_comparison(mode: IfExists, *, is_ours: bool) -> bool:
    """Whether `decide` has to know what the object holds."""
    return is_ours or mode == "differs"


def decide(mode: IfExists, *, is_ours: bool, is_same: bool) -> Outcome:
    """Apply the table above. `is_same`: the object is proven to hold what the file holds; False if nobody looked."""
    if is_ours:
        return Outcome.STORED if is_same else Outcome.CHANGED
    if mode == "skip" or (mode == "differs" and is_same):
        return Outcome.SKIPPED
    return Outcome.FAILED


def has_mark(row: RemoteObject, mark: Fields) -> bool:
    """Whether the object carries the mark. Servers change the capitals of a name."""
    kept = {(name.lower(), value) for name, value in row.meta}
    return bool(mark) and all((name.lower(), value) in kept for name, value in mark)


REASONS: dict[IfExists, Reason] = {"skip": Reason.EXISTING, "differs": Reason.IDENTICAL}
"""The reason that is reported for a skipped file."""
