"""How far a look at an account is: a moving line on a terminal, a plain line every few seconds elsewhere."""

import time
from collections.abc import Callable
from contextlib import ExitStack

from bulkput.events import Looking
from bulkput.report.lines import count_text
from bulkput.report.progress import PLAIN_EVERY_S, Screen


class LookingLine:
    """Call it with each event. Before anything else is printed, `end` takes the moving line away; the next event brings
    it back."""

    def __init__(self, screen: Screen, clock: Callable[[], float] = time.monotonic) -> None:
        self._screen = screen
        self._clock = clock
        self._moving = ExitStack()
        self._is_moving = False
        self._event = Looking(0, 0, 0, 0)
        self._next_line_s = clock() + PLAIN_EVERY_S

    def __call__(self, event: Looking) -> None:
        self._event = event
        if self._is_moving:
            return
        if self._screen.can_move:
            self._moving.enter_context(self._screen.moving_line(lambda: looking_text(self._event)))
            self._is_moving = True
        elif (now_s := self._clock()) >= self._next_line_s:
            self._next_line_s = now_s + PLAIN_EVERY_S
            self._screen.say(looking_text(event))

    def end(self) -> None:
        self._moving.close()
        self._is_moving = False


def looking_text(event: Looking) -> str:
    """One line.

    >>> looking_text(Looking(segments=4_800, containers=0, objects=0, looked_at=0))
    'segments 4 800'
    >>> looking_text(Looking(segments=4_800, containers=2, objects=61_000, looked_at=512))
    'segments 4 800  containers 2  objects 61 000  looked at 512'
    """
    line = f"segments {count_text(event.segments)}"
    if not event.containers and not event.objects:
        return line
    return (
        f"{line}  containers {count_text(event.containers)}  objects {count_text(event.objects)}"
        f"  looked at {count_text(event.looked_at)}"
    )
