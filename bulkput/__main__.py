"""The console script and `python -m bulkput`: a command that starts and ends quickly.

When a few files are published, a sixth of all instructions went to garbage collections while modules are imported, and
to the interpreter taking itself apart at the end (callgrind). The library changes neither, since its process belongs to
its caller.
"""

import atexit
import gc
import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

_WHILE_IMPORTING = 100_000
"""New objects between two garbage collections, until `cli/loop.py` starts the verb: more than all imports make. What
they make stays, so collections in between find nothing."""


def main() -> NoReturn:
    """Run the command of `sys.argv`, and end the process with its exit code."""
    gc.set_threshold(_WHILE_IMPORTING)
    from bulkput.cli.main import main as run  # noqa: PLC0415 - after the threshold

    try:
        run()
    except SystemExit as ending:
        if sys.getprofile() is not None or sys.gettrace() is not None:  # a profiler reports after this
            raise
        _leave(ending.code if isinstance(ending.code, int) else 0)


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
