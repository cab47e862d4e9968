"""The console script and `python -m bulkput`: a command that starts and ends quickly.

When a few files are published, a sixth of all instructions went to garbage collections while modules are imported, and
to the interpreter taking itself apart at the end (callgrind). The library changes neither, since its process belongs to
its caller.
"""

import atexit
import gc
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import NoReturn

_WHILE_IMPORTING = 100_000
"""New objects between two garbage collections, until `cli/loop.py` starts the verb: more than all imports make. What
they make stays, so collections in between find nothing. Verbs without an event loop are short, and keep this number."""


def main() -> NoReturn:
    """Run the command of `sys.argv`, and end the process with its exit code."""
    gc.set_threshold(_WHILE_IMPORTING)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Ctrl-C ends the process at once until `cli/loop.py` takes it: in an import, KeyboardInterrupt would be a
        # traceback, and in `__set_name__` Python 3.11 makes a RuntimeError of it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from bulkput.cli.main import main as run  # noqa: PLC0415 - after the threshold

    try:
        run()
    except SystemExit as ending:
        if _is_watched():
            raise
        _leave(ending.code if isinstance(ending.code, int) else 0)


def _is_watched() -> bool:
    """Whether something follows the end of the command: a profiler's report, the prompt of `python -i`."""
    monitoring = getattr(sys, "monitoring", None)  # since Python 3.12, for cProfile too
    tools = [monitoring.get_tool(number) for number in range(6)] if monitoring is not None else []
    return any((sys.getprofile(), sys.gettrace(), sys.flags.inspect, *tools))


def _leave(code: int) -> NoReturn:
    """End the process as the interpreter does, except for freeing memory: the system does that at once.

    The order is Python's own: threads that are not daemons end, then functions of `atexit` run, then streams are
    flushed (`Py_FinalizeEx`). multiprocessing ends its processes in the same way.
    """
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # a reader that has gone: `cli/main.py` has dealt with it
                stream.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
