"""What each task of a run does at the moment: the task notes it, and the watchdog reads it when the run stalls.

A worker has an `Activity`, found by a context variable: what it has in hand, since when, and the steps that it is in,
outermost first. What it costs (in tight loops with and without it; CPython 3.11, uvloop, the machine of
benchmarks/RESULTS.md):

| who notes | us | how often |
|-----------|----|-----------|
| a worker that takes a file (`engine/pool.py`) | 0.09 | each object |
| the exchange on a connection (`transport/connection.py`) | 0.12 | each object |
| `with doing(...)`, everywhere else | 0.45 | where a wait is rare or long |

So an object pays 0.2 us of about 130. The wait for a slot is not noted: it is what a worker without a step does.

Any thread may read: each write is one assignment, or one `append` or `remove` of a list. A reader that comes between
two writes sees what was true a moment before, or will be a moment after.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, Protocol


class Exchange(Protocol):
    """A step that knows itself how far it is: a request and its answer."""

    @property
    def waits_for(self) -> str:
        """In words."""

    @property
    def ends(self) -> str | None:
        """Both ends of its connection, if that is known."""


class Attempt(NamedTuple):
    """A step that has no words: the first try is number 1."""

    number: int


Step = str | Attempt | Exchange


class Description(NamedTuple):
    """An activity in words, outermost first; the attempt and the connection of the outermost step that has one."""

    words: tuple[str, ...]
    attempt: int
    connection: str | None


class Activity:
    """Of one task, or of one thread. A task that has none of its own notes its steps in that of the task it was started
    by."""

    __slots__ = ("began_s", "in_hand", "steps")

    def __init__(self) -> None:
        self.in_hand: object | None = None
        """What is handled: a worker's item, the path that a walk looks at."""
        self.began_s = time.monotonic()
        """When that was taken in hand."""
        self.steps: list[Step] = []

    def describe(self) -> Description:
        """From any thread. Words that several steps have in common come once."""
        words: dict[str, None] = {}
        attempt = connection = None
        for step in tuple(self.steps):
            if isinstance(step, str):
                words[step] = None
            elif isinstance(step, Attempt):
                attempt = attempt or step.number
            else:
                words[step.waits_for] = None
                connection = connection or step.ends
        return Description(tuple(words), attempt or 1, connection)


_current: ContextVar[Activity] = ContextVar(
    "bulkput.activity",
    default=Activity(),  # noqa: B039 - shared, but nobody reads it: runs without a watchdog note there
)

current: Callable[[], Activity] = _current.get
"""The activity of the task, or the thread, that calls."""


class doing:  # noqa: N801 - reads like a statement
    """`with doing("logging in"):` around what may take long. Never around a `yield`: what the consumer of a generator
    does meanwhile would be told as this."""

    __slots__ = ("_step", "_steps")

    def __init__(self, step: Step) -> None:
        self._step = step

    def __enter__(self) -> None:
        self._steps = current().steps
        self._steps.append(self._step)

    def __exit__(self, *_error: object) -> None:
        self._steps.remove(self._step)  # not the last one, when two tasks share an activity


@contextmanager
def noted_in(mine: Activity, among: set[Activity] | None = None) -> Iterator[Activity]:
    """Within the block, this task or thread notes what it does in `mine`, which is one of `among`."""
    before = current()
    _current.set(mine)
    if among is not None:
        among.add(mine)
    try:
        yield mine
    finally:
        if among is not None:
            among.discard(mine)
        mine.in_hand = None
        _current.set(before)
