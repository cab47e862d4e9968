"""Running a coroutine for a verb: uvloop where there is one, and signals as people expect them."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from bulkput.cli.output import say
from bulkput.engine.event_loop import loop_factory
from bulkput.engine.stop import Stop

T = TypeVar("T")
INTERRUPTED = 130
_COLLECTIONS = (700, 10, 10)
"""The thresholds of Python 3.11. `__main__.py` has raised them for the time of the imports."""


def take_interrupts() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt, as usual in Python: `__main__.py` has let it end the process."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end; Ctrl-C ends it at once with exit code 130."""
    take_interrupts()
    gc.freeze()  # what is imported stays, so collections need not look at it again
    gc.set_threshold(*_COLLECTIONS)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(main)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def run_stoppable(main: Callable[[Stop], Coroutine[Any, Any, T]], *, at_exit: Callable[[], None]) -> T:
    """Run `main(stop)` so that SIGINT, SIGTERM and SIGHUP (a lost terminal) stop it gently, and a second one at once.

    Once: no more work is taken, what is in flight has some seconds to end (`Stop.bounded`), the summary is written.
    Twice: `at_exit`, exit 130.
    """

    async def guarded() -> T:
        stop = Stop()
        signals = 0

        def on_signal() -> None:
            nonlocal signals
            signals += 1
            if signals > 1:
                # Threads that hang in a read would keep the interpreter from ending in the ordinary way.
                with suppress(OSError):
                    at_exit()
                    sys.stdout.flush()
                    if sys.stderr.isatty():
                        sys.stderr.write("\x1b[?25h\n")  # the progress line hides the cursor
                        sys.stderr.flush()
                os._exit(INTERRUPTED)
            say("stopping: requests in flight have up to 10 s to end; interrupt again to leave now")
            stop.interrupt()

        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt, handled by `run`
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, on_signal)
            if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
                loop.add_signal_handler(signal.SIGHUP, on_signal)
        return await main(stop)

    return run(guarded())
