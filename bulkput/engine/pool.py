"""A bounded queue and its workers. All worker tasks of a run are created here, and end here."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, nullcontext
from typing import Generic, Protocol, TypeVar

from bulkput.activity import Activity, noted_in

T = TypeVar("T")


class Queue(Protocol[T]):
    """Items with an order of their own, of which workers may have to wait for the next (`upload/turns.py`)."""

    def append(self, item: T, /) -> None: ...

    def popleft(self) -> T: ...

    def __len__(self) -> int: ...

    def is_due(self) -> bool:
        """Whether a worker may have an item now. If not, `stir` is called when that changes."""

    def stirring(self, stir: Callable[[], object]) -> AbstractContextManager[None]:
        """A block in which `is_due` calls `stir`."""


class Pool(Generic[T]):
    """Queues items for its workers. `pool` makes it; use it within that block.

    An asyncio.Queue wakes the producer for each item that a worker takes, which costs a turn of the event loop per
    object. This queue wakes it only when half of the backlog is gone.
    """

    def __init__(
        self,
        handle: Callable[[T], Awaitable[None]],
        tasks: asyncio.TaskGroup,
        backlog: int,
        items: "deque[T] | Queue[T]",
        in_flight: set[Activity] | None,
    ) -> None:
        self._handle = handle
        self._in_flight = in_flight
        self._tasks = tasks
        self._backlog = max(1, backlog)
        self._items = items
        self._queue = None if isinstance(items, deque) else items
        self._hungry: deque[asyncio.Future[None]] = deque()
        """Idle workers, waiting for an item."""
        self._full: deque[asyncio.Future[None]] = deque()
        """Producers waiting for room."""
        self._born = 0
        self._alive = 0
        self._wanted = 0
        self._is_ended = False
        self._is_broken = False
        """Whether a worker has raised: the others are cancelled, and none can start."""

    async def submit(self, item: T) -> None:
        """Queue an item, then wait until at most `backlog` items are queued (back-pressure)."""
        self._items.append(item)  # before the wait: if the wait is cancelled, `abandoned` still gets the item
        if self._queue is None or not self._alive or self._queue.is_due():
            self.stir()
        while len(self._items) > self._backlog:
            await self._turn(self._full)

    def add(self, item: T) -> None:
        """Queue an item without a wait: for producers that are held back otherwise."""
        self._items.append(item)
        self.stir()

    def stir(self) -> None:
        """Give an item to a worker that waits for one, or to a new one."""
        if not _wake(self._hungry, 1):
            self._start(1)

    def resize(self, workers: int) -> None:
        """Set the highest number of workers. They start when items wait for them: one file needs one worker. Surplus
        workers end, those that handle an item after it."""
        self._wanted = workers
        self._start(len(self._items))
        _wake(self._hungry, self._alive - workers)

    def _start(self, most: int) -> None:
        # Items of a queue may have their turn only when no more are submitted, and then need workers.
        if self._is_broken or (self._is_ended and self._queue is None):
            return
        for _ in range(min(most, self._wanted - self._alive)):
            self._alive += 1
            self._born += 1
            self._tasks.create_task(self._work(), name=f"bulkput-worker-{self._born}")

    def end(self) -> None:
        """Announce that no items follow: no worker starts any more, and each ends when the queue is empty."""
        self._is_ended = True
        _wake(self._hungry, len(self._hungry))

    async def _work(self) -> None:
        mine, queue = Activity(), self._queue
        with noted_in(mine, self._in_flight) if self._in_flight is not None else nullcontext():
            # The loop stands in the task's outermost coroutine: each resumption passes through every coroutine above.
            while self._items or not self._is_ended:
                if self._alive > self._wanted and not self._is_ended:
                    self._alive -= 1
                    # This worker may have been woken for an item that it now leaves: another worker has to take it.
                    _wake(self._hungry, 1)
                    return
                if not self._items or (queue is not None and not queue.is_due()):
                    mine.in_hand = None
                    await self._turn(self._hungry)
                    continue
                item = self._items.popleft()
                if queue is not None:
                    self._go_on(queue)
                if self._full and len(self._items) <= (self._backlog + 1) // 2:
                    _wake(self._full, len(self._full))
                mine.began_s = time.monotonic()
                mine.in_hand = item
                try:
                    await self._handle(item)
                except BaseException as error:
                    self._is_ended = self._is_broken = True
                    if isinstance(error, asyncio.CancelledError) and not is_cancelled():
                        # Otherwise the task group would take it for the end of this worker alone.
                        raise RuntimeError(f"handling {item!r} was cancelled from within") from error
                    raise

    def _go_on(self, queue: Queue[T]) -> None:
        """Call it when a worker has taken an item of the queue: no one else wakes the next."""
        if queue.is_due():
            self.stir()
        elif self._is_ended and not len(queue):  # no item is left to wake those who wait
            _wake(self._hungry, len(self._hungry))

    async def _turn(self, waiting: deque[asyncio.Future[None]]) -> None:
        turn = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        await turn


def is_cancelled() -> bool:
    """Whether the running task itself was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _wake(waiting: deque[asyncio.Future[None]], count: int) -> bool:
    """Whether `count` were waiting, and are woken now."""
    while waiting and count > 0:
        turn = waiting.popleft()
        if not turn.done():  # a cancelled waiter would waste the wake-up
            turn.set_result(None)
            count -= 1
    return count <= 0


def _forget(_item: object) -> None:
    """Discards an unhandled item, if the caller gave no `abandoned`."""


@asynccontextmanager
async def pool(
    handle: Callable[[T], Awaitable[None]],
    *,
    workers: int,
    backlog: int,
    abandoned: Callable[[T], None] = _forget,
    in_flight: set[Activity] | None = None,
    queue: Queue[T] | None = None,
) -> AsyncIterator[Pool[T]]:
    """Run `workers` tasks that call `handle` with each submitted item. Leaving the block waits for all of them.

    If the block or `handle` raises, or the caller is cancelled, all workers are cancelled and awaited before the first
    error propagates. Then `abandoned` is called with each item that was submitted but never passed to `handle`.

    `queue` gives the order of the items; None means that of their submission.

    If `in_flight` is given, it holds an activity for each live worker. Otherwise workers note what they do in the
    caller's activity.
    """
    items: deque[T] | Queue[T] = deque() if queue is None else queue
    stirring = ExitStack()  # until the last worker has ended
    try:
        async with asyncio.TaskGroup() as tasks:
            made = Pool(handle, tasks, backlog, items, in_flight)
            if queue is not None:
                stirring.enter_context(queue.stirring(made.stir))
            made.resize(workers)
            try:
                yield made
            finally:
                made.end()
    except BaseExceptionGroup as group:
        # The first error is the cause. The workers that it cancelled have nothing to add.
        raise group.exceptions[0] from None
    finally:
        stirring.close()
        while items:
            abandoned(items.popleft())
