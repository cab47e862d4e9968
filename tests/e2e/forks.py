"""Runs commands in forked processes; importing everything anew takes ten times as long as most commands.

One server process imports bulkput without starting anything. For each command it forks a process, which gets the
command's arguments, variables, directory and streams, runs `bulkput.__main__`, and ends as an interpreter does. Its
streams, signals, exit code and memory are its own.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path

_LIMIT_S = 120
_LARGEST = 1024 * 1024  # bytes of arguments and variables; more than one datagram of the socket holds
_THIRD_PARTY = ("rich.console", "rich.progress", "rich.table", "sqlite3", "encodings.idna")  # what bulkput imports late


def run(arguments: Sequence[str], environ: Mapping[str, str], cwd: Path, streams: tuple[int, int, int]) -> int:
    """Runs `bulkput ARGUMENTS` on these descriptors; gives its exit code, negative for a signal as in subprocess."""
    order = json.dumps([arguments, dict(environ), str(cwd), _umask()])
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        socket.send_fds(_server(), [order.encode()], [*streams, theirs.fileno()])
        theirs.close()
        ours.settimeout(_LIMIT_S)
        process = int(ours.recv(20))
        try:
            return int(ours.recv(20))
        except BaseException:
            os.kill(process, signal.SIGKILL)
            raise


def _umask() -> int:
    """Reads the umask from /proc, which does not change it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1], 8) for line in lines if line.startswith("Umask:"))


@cache
def _server() -> socket.socket:
    """Gives the socket of the forking process, which ends when this process ends for any reason."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", f"from tests.e2e.forks import serve; serve({theirs.fileno()})"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # keeps Ctrl-C away: the tests end their processes themselves
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def serve(descriptor: int) -> None:
    """Runs the loop of the forking process. Returns when the other end closes; in a fork, when its command ends."""
    for module in pkgutil.walk_packages(import_module("bulkput").__path__, "bulkput."):
        if not module.name.endswith("__main__"):
            with suppress(ModuleNotFoundError):  # numpy is an optional dependency
                import_module(module.name)
    for name in _THIRD_PARTY:
        import_module(name)
    gc.freeze()  # else each fork collects it all at its end: half an import
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no one reaps the waiting processes
    with socket.socket(fileno=descriptor) as orders:
        while True:
            order, descriptors, _, _ = socket.recv_fds(orders, _LARGEST, 4)
            if not order:
                return
            if os.fork() == 0:
                break
            for each in descriptors:
                os.close(each)
    *streams, told = descriptors
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if process := os.fork():
        _wait(process, told)
    os.close(told)
    _become(order, streams)
    runpy.run_module("bulkput", run_name="__main__", alter_sys=True)


def _wait(process: int, told: int) -> None:
    with socket.socket(fileno=told) as answers, suppress(OSError):  # the tests have ended
        answers.send(b"%d" % process)
        _, status = os.waitpid(process, 0)
        answers.send(b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(order: bytes, streams: Sequence[int]) -> None:
    """Takes over arguments, variables, directory and streams from the order."""
    arguments, environ, cwd, umask = json.loads(order)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environ)
    if encoding := os.environ.get("PYTHONIOENCODING"):  # an interpreter reads it at its start
        for text in (sys.stdout, sys.stderr):
            text.reconfigure(encoding=encoding)  # type: ignore[union-attr]
    time.tzset()
    os.chdir(cwd)
    os.umask(umask)
    sys.argv = ["bulkput", *arguments]
