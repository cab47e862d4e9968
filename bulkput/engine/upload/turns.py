"""Keeps files from workers until the container of each has its turn.

A queue for `engine/pool.py`. Files wait here by container, and a worker gets one only when that container may take a
request: so a slow container, or one that refuses, costs no worker, and the others go on. Files of one container keep
their order.

    scan ──> files by container ──the next whose turn has come──> workers ──> PUT, which takes the turn

A worker gets its file a moment before the turn, to read it meanwhile. What it sends waits for the exact time in
`stores/spread/governed.py`.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from bulkput.engine.stop import Stop
from bulkput.policy.spread import spread_of
from bulkput.stores.base import Destination
from bulkput.stores.spread.governor import Governor, ticket

T = TypeVar("T")
_AHEAD_S = 0.02
"""A file is read this much before its turn: many times what opening and reading a small file takes."""
_PER_CONTAINER = 64
"""Files that wait per container, on average, before the scan waits. Names come in any order: with this many, few
containers are ever without a file while others have theirs (the spread of 64 is 8)."""
_MOST = 65_536
"""Files that wait in all, some 60 MB: more containers than a thousand have fewer each."""


class Turns(Generic[T]):
    """The files of one run of a pool."""

    def __init__(self, governor: Governor, key_of: Callable[[T], str], target: Destination, stop: Stop) -> None:
        """`key_of` gives the name of an item's object at `target`. If the run is stopped, every turn has come: the
        workers report what is left."""
        self._governor = governor
        self._key_of = key_of
        self._spread = spread_of(target.root) if target.scheme == "swift" else None
        self._root = target.root
        self._stop = stop
        self._waiting: dict[str, deque[T]] = {}
        self._numbers: dict[str, int] = {}
        """By container, the number of its present entry in `_dues`: others are void."""
        self._dues: list[tuple[float, int, str]] = []
        self._count = self._entries = 0
        self._timer: asyncio.TimerHandle | None = None
        self._rings_s = 0.0
        """When the timer rings, if there is one: uvloop's handles do not say."""
        self._stir: Callable[[], object] = _ignore
        governor.has_turns = True

    def __len__(self) -> int:
        return self._count

    def backlog(self, backlog: int) -> int:
        """How many files may wait before the scan waits; `backlog` for one container."""
        containers = 1 if self._spread is None else self._spread.count
        return max(backlog, min(_MOST, containers * _PER_CONTAINER))

    @contextmanager
    def stirring(self, stir: Callable[[], object]) -> Iterator[None]:
        """Call `stir` within the block whenever the turn of a file comes while no worker asks."""
        self._stir = stir
        try:
            with self._stop.waking(stir):
                yield
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._governor.note_idle(is_idle=False)

    def append(self, item: T) -> None:
        container = self._container_of(item)
        waiting = self._waiting.get(container)
        if waiting is None:
            waiting = self._waiting[container] = deque()
            self._enter(container)
        waiting.append(item)
        self._count += 1

    def is_due(self) -> bool:
        """Whether the turn of any file has come. If not, `stir` is called when it does."""
        if not self._count:
            self._governor.note_idle(is_idle=False)
            return False
        now_s = self._governor.now_s()
        early_s = self._settle_first(now_s) - _AHEAD_S - now_s
        is_due = early_s <= 0 or self._stop.is_pulled
        self._governor.note_idle(is_idle=not is_due)
        if not is_due:
            self._call_in(early_s)
        return is_due

    def popleft(self) -> T:
        """The file whose turn comes first, be it now or not."""
        self._settle_first(self._governor.now_s())
        container = heapq.heappop(self._dues)[2]
        waiting = self._waiting[container]
        item = waiting.popleft()
        self._count -= 1
        if waiting:
            self._enter(container)
        else:
            del self._waiting[container]
        return item

    def handling(self, handle: Callable[[T], Awaitable[None]]) -> Callable[[T], Awaitable[None]]:
        """`handle`, of files that count at their containers until their requests take their turn."""

        async def handled(item: T) -> None:
            mine = self._governor.ticket(self._container_of(item), self._left)
            before = ticket.set(mine)
            try:
                await handle(item)
            finally:
                ticket.reset(before)
                mine.leave()

        return handled

    def _container_of(self, item: T) -> str:
        return self._root if self._spread is None else self._spread.container_of(self._key_of(item))

    def _left(self, container: str) -> None:
        """A worker has done with a file, perhaps without a request: then the next has its turn sooner."""
        if container in self._waiting:
            self._enter(container)

    def _enter(self, container: str) -> None:
        self._entries += 1
        self._numbers[container] = self._entries
        heapq.heappush(self._dues, (self._governor.due_s(container, self._governor.now_s()), self._entries, container))

    def _settle_first(self, now_s: float) -> float:
        """The time at which the first turn comes, as of now. Entries were made when less was known: the first is made
        anew until it stays. As of one time for all, since the turn of a container moves with the clock while workers
        have more files for it than it takes at once."""
        dues = self._dues
        while True:
            due_s, number, container = dues[0]
            if container not in self._waiting or self._numbers[container] != number:
                heapq.heappop(dues)
                continue
            now_due_s = self._governor.due_s(container, now_s)
            if now_due_s <= due_s or now_due_s <= now_s:
                return min(due_s, now_due_s)
            heapq.heapreplace(dues, (now_due_s, number, container))

    def _call_in(self, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        at_s = loop.time() + delay_s
        if self._timer is not None:
            if self._rings_s <= at_s:
                return
            self._timer.cancel()
        self._timer, self._rings_s = loop.call_at(at_s, self._ring), at_s

    def _ring(self) -> None:
        self._timer = None
        if self.is_due():
            self._stir()


def _ignore() -> None:
    """Before the pool has said whom to wake."""
