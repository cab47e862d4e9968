"""Whether a run goes on. Asked by workers before they take a file and by retries before they wait."""

import asyncio
from collections.abc import Callable

from bulkput.errors import Stopped
from bulkput.events import Emit, StopCause, Stopping


class Stop:
    """A run's brake: pulled at most once, by a person, a signal handler or the engine itself."""

    def __init__(self) -> None:
        self._pulled = asyncio.Event()
        self._emit: Emit | None = None
        self._wake: Callable[[], None] | None = None
        self.order: Stopping | None = None

    @property
    def is_pulled(self) -> bool:
        return self.order is not None

    def interrupt(self) -> None:
        """Take no more work, finish what is in flight. From the loop's own thread (a signal handler, say)."""
        self.pull(Stopping("interrupted", StopCause.INTERRUPTED))

    def pull(self, order: Stopping) -> None:
        """The first order stands, later ones change nothing."""
        if self.order is None:
            self.order = order
            self._pulled.set()
            if self._emit is not None:
                self._emit(order)
            if self._wake is not None:
                self._wake()

    def wake(self, sleeper: Callable[[], None]) -> None:
        """Call `sleeper` when the brake is pulled, or now: the one wait of a run that `pause` does not cover."""
        self._wake = sleeper
        if self.order is not None:
            sleeper()

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
