"""How the files of a run are shared out among processes. A lane is the driver's end of one process.

A lane holds a window of files: those that its process has, and has not reported yet. The window is what is done again
if the process dies, and what the others wait for at the end of the run. So it is as short as keeps the process busy:

| known of the lane | files in its window                                                   |
|-------------------|-----------------------------------------------------------------------|
| nothing           | `FIRST`, or twice its share of the requests in flight if that is more |
| its rate          | those of `AHEAD_S`, at least as above, at most `MOST`                 |
| their bytes       | `MOST_BYTES` at most, or one file                                     |
| that a call is    | four times its share of the requests in flight: only an answered call |
| not interrupted   | hears of a stop                                                       |

A file that was in the window of a process that died may have killed it. Such files are sent apart from all others:

| deaths with it | it is sent with                               | another death                             |
|----------------|-----------------------------------------------|-------------------------------------------|
| 1              | up to `TOGETHER` others that were in one, too | is its second                             |
| 2              | no other                                      | is its third: the file fails, by its name |
"""

from collections.abc import Iterable
from dataclasses import replace

from bulkput.model import Pacing

FIRST, MOST = 64, 4_096
AHEAD_S = 0.5
"""Twice as long as an exchange with a process that has little to report takes at most: its window is never empty."""
MOST_BYTES = 1024**3
TOGETHER = 16
MOST_DEATHS = 3


def window(share: int, rate: float | None, *, is_whole: bool = False) -> int:
    """How many files a lane may hold. `share`: its requests in flight; `rate`: files per second that its process has
    reported, None if that is not known. `is_whole`: a call is answered when all its files have an outcome."""
    if is_whole:
        return 4 * share
    least = max(FIRST, 2 * share)
    return max(least, min(MOST, int((rate or 0.0) * AHEAD_S)))


def shares(limit: int, lanes: int) -> list[int]:
    """Shares out a limit on requests in flight: every lane has one at least, and none has two more than another."""
    whole, rest = divmod(limit, lanes)
    return [max(1, whole + (number < rest)) for number in range(lanes)]


def suspects_at_once(deaths: int) -> int:
    """With how many others, and itself, a file is sent that was in as many deaths."""
    return TOGETHER if deaths <= 1 else 1


def summed(own: Pacing, others: Iterable[Pacing]) -> Pacing:
    """What the rates of several processes have let pass, each of which had its share of the rates of `own`."""
    all_of_them = (own, *others)
    return replace(
        own,
        requests=sum(each.requests for each in all_of_them),
        sent=sum(each.sent for each in all_of_them),
        over_s=max(each.over_s for each in all_of_them),
        waited_s=max(each.waited_s for each in all_of_them),
    )
