"""What each task of a run does at the moment. Tasks note it, and the watchdog reads it if the run stalls.

Each worker has an `Activity`, which a context variable holds: the item that it handles, since when, and the steps that
it is in, outermost first. The cost, measured in tight loops with and without it (CPython 3.11, uvloop, the machine of
benchmarks/RESULTS.md):

| noted by                                                 | us   | how often                                 |
|----------------------------------------------------------|------|-------------------------------------------|
| a worker that takes a file (`engine/pool.py`)            | 0.09 | each object                               |
| the exchange on a connection (`transport/connection.py`) | 0.12 | each object                               |
| `with doing(...)`, everywhere else                       | 0.45 | only for waits that are rare or long      |

The first two add up to 0.2 us of the 130 us that an object costs. The wait for a slot is not noted: the watchdog takes
a worker without a step to wait for its slot.

Any thread may read: each write is one assignment, or one `append` or `remove` of a list. A reader between two writes
sees the state of a moment before or after.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, Protocol


class Exchange(Protocol):
    """A step that describes its own progress: a request and its answer."""

    @property
    def waits_for(self) -> str:
        """What it waits for, in words."""

    @property
    def ends(self) -> str | None:
        """Both ends of its connection, or None if they are not known."""


class Attempt(NamedTuple):
    """A step that has a number in place of words. The first attempt is number 1."""

    number: int


Step = str | Attempt | Exchange


class Description(NamedTuple):
    """An activity in words, outermost step first.

    `attempt` and `connection` are those of the outermost step that has one. Without one they are 1 and None.
    """

    words: tuple[str, ...]
    attempt: int
    connection: str | None


class Activity:
    """What one task or one thread does. A task without an Activity of its own notes its steps in that of the task that
    started it."""

    __slots__ = ("began_s", "in_hand", "steps")

    def __init__(self) -> None:
        self.in_hand: object | None = None
        """The item of a worker, or the path that a walk looks at. None between two items."""
        self.began_s = time.monotonic()
        """When the worker took the item, on the clock of `time.monotonic`."""
        self.steps: list[Step] = []

    def describe(self) -> Description:
        """Describe the steps; any thread may call this. Words that several steps share appear once."""
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
    default=Activity(),  # noqa: B039 - shared on purpose: runs without a watchdog note their steps there, and it is never read
)

current: Callable[[], Activity] = _current.get
"""Gives the Activity of the calling task or thread."""


class doing:  # noqa: N801 - reads like a statement
    """`with doing("logging in"):` notes a step that may take long.

    Never put it around a `yield`: the step would also cover the work of the generator's consumer.
    """

    __slots__ = ("_step", "_steps")

    def __init__(self, step: Step) -> None:
        self._step = step

    def __enter__(self) -> None:
        self._steps = current().steps
        self._steps.append(self._step)

    def __exit__(self, *_error: object) -> None:
        self._steps.remove(self._step)  # by value: if two tasks share an Activity, the last step may be the other's


@contextmanager
def noted_in(mine: Activity, among: set[Activity] | None = None) -> Iterator[Activity]:
    """Within the block, this task or thread notes its steps in `mine`, and `among` contains `mine`."""
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
