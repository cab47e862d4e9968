"""Whether a run goes on. Asked by workers before they take a file and by retries before they wait."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from bulkput.errors import Stopped
from bulkput.events import Emit, StopCause, Stopping

_PATIENCE_S = 10.0
"""`docker stop` and many CI systems kill a process so long after its SIGTERM."""
_SHARE = 0.8
"""Of that for what is in flight. The rest is for the journal, the summary, and the end of the interpreter."""


class Stop:
    """A run's brake: pulled at most once, by a person, a signal handler or the engine itself."""

    def __init__(self) -> None:
        self._pulled = asyncio.Event()
        self._emit: Emit | None = None
        self._sleepers: list[Callable[[], object]] = []
        self.must_hurry = False
        """What is in flight has seconds only: see `bounded`."""
        self._bound: Callable[[], None] | None = None
        """Sets the time when the block of `bounded` ends."""
        self.order: Stopping | None = None

    @property
    def is_pulled(self) -> bool:
        return self.order is not None

    def interrupt(self) -> None:
        """Take no more work, finish what is in flight within seconds. From the loop's own thread (a signal handler,
        say). A run that is being stopped already has to hurry from now on."""
        self.pull(Stopping("interrupted", StopCause.INTERRUPTED))
        if not self.must_hurry:
            self.must_hurry = True
            if self._bound is not None:
                self._bound()

    def pull(self, order: Stopping) -> None:
        """Take no more work, finish what is in flight. The first order stands, later ones change nothing."""
        if self.order is None:
            self.order = order
            self._pulled.set()
            if self._emit is not None:
                self._emit(order)
            for sleeper in self._sleepers:
                sleeper()

    @contextmanager
    def waking(self, sleeper: Callable[[], object]) -> Iterator[None]:
        """Within the block, call `sleeper` when the brake is pulled; at once if it has been pulled already.

        For waits that `pause` does not cover: a thread that scans, or looks at the sources.
        """
        self._sleepers.append(sleeper)
        try:
            if self.order is not None:
                sleeper()
            yield
        finally:
            self._sleepers.remove(sleeper)

    def report_to(self, emit: Emit) -> None:
        """Emit the order when it comes, or now if it has come already."""
        self._emit = emit
        if self.order is not None:
            emit(self.order)

    def check(self) -> None:
        """Raises Stopped when the brake is pulled."""
        if self.order is not None:
            raise Stopped

    async def pause(self, delay_s: float) -> bool:
        """Wait so long, or until the brake is pulled; False when it is."""
        try:
            async with asyncio.timeout(delay_s):
                await self._pulled.wait()
        except TimeoutError:
            return True
        return False

    @asynccontextmanager
    async def bounded(self, timeout_s: float) -> AsyncIterator[None]:
        """A block that an interrupted run leaves in time: what it then still awaits is cancelled, and it ends there.

        From the interruption on it has 80 % of `timeout_s`, or 8 s where that is less. Without one it may take as long
        as it likes. Use it in one task at a time.
        """
        loop, within_s = asyncio.get_running_loop(), _SHARE * min(timeout_s, _PATIENCE_S)
        bound = asyncio.timeout(None)
        try:
            async with bound:
                self._bound = lambda: bound.reschedule(loop.time() + within_s)
                if self.must_hurry:
                    self._bound()
                yield
        except TimeoutError:
            if not bound.expired():
                raise
        finally:
            self._bound = None
