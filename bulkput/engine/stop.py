"""Tells a run to stop. Workers check it before they take a file, and retries wait on it instead of sleeping."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from bulkput.errors import Stopped
from bulkput.events import Emit, StopCause, Stopping

_PATIENCE_S = 10.0
"""Time between SIGTERM and SIGKILL: that of `docker stop` and of many CI systems."""
_SHARE = 0.8
"""Share of that time for requests in flight. The rest is for the journal, the summary and the interpreter's exit."""


class Stop:
    """A run's brake (`stores/tries.py:Brake`). A caller, a signal handler (`cli/loop.py`) or the engine pulls it; only
    the first pull counts."""

    def __init__(self) -> None:
        self._pulled = asyncio.Event()
        self._emit: Emit | None = None
        self._sleepers: list[Callable[[], object]] = []
        self.must_hurry = False
        """Requests in flight have only seconds left: see `bounded`."""
        self._bound: Callable[[], None] | None = None
        """Starts the deadline of the current `bounded` block; None outside of one."""
        self.order: Stopping | None = None

    @property
    def is_pulled(self) -> bool:
        return self.order is not None

    def interrupt(self) -> None:
        """Take no more work, and finish requests in flight within seconds. If the run is being stopped already, the
        deadline begins now. Call it in the event loop's thread (from a signal handler, for example)."""
        self.pull(Stopping("interrupted", StopCause.INTERRUPTED))
        if not self.must_hurry:
            self.must_hurry = True
            if self._bound is not None:
                self._bound()

    def pull(self, order: Stopping) -> None:
        """Take no more work, and finish requests in flight. The first order stands; later ones change nothing."""
        if self.order is None:
            self.order = order
            self._pulled.set()
            if self._emit is not None:
                self._emit(order)
            for sleeper in self._sleepers:
                sleeper()

    @contextmanager
    def waking(self, sleeper: Callable[[], object]) -> Iterator[None]:
        """Within the block, call `sleeper` when the brake is pulled, or at once if it has been pulled already.

        It ends waits that `pause` does not cover: those for the scan's thread and for the check of the sources.
        """
        self._sleepers.append(sleeper)
        try:
            if self.order is not None:
                sleeper()
            yield
        finally:
            self._sleepers.remove(sleeper)

    def report_to(self, emit: Emit) -> None:
        """Emit the order when the brake is pulled, or now if it has been pulled already."""
        self._emit = emit
        if self.order is not None:
            emit(self.order)

    def check(self) -> None:
        """Raises Stopped if the brake has been pulled."""
        if self.order is not None:
            raise Stopped

    async def pause(self, delay_s: float) -> bool:
        """Wait `delay_s`, or until the brake is pulled. False if it was pulled."""
        try:
            async with asyncio.timeout(delay_s):
                await self._pulled.wait()
        except TimeoutError:
            return True
        return False

    @asynccontextmanager
    async def bounded(self, timeout_s: float) -> AsyncIterator[None]:
        """A block with a deadline that begins when the run is interrupted; at the deadline it is cancelled, silently.

        The deadline is 80 % of `timeout_s`, at most 8 s. Without an interruption there is none. Use it in one task at a
        time.
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
            if not bound.expired():  # the block raised its own TimeoutError
                raise
        finally:
            self._bound = None
