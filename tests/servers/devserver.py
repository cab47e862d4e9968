"""The devserver as a process of its own, for tests that run the command line."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers.swift import RealSwift


@contextmanager
def devserver_process(*arguments: str) -> Iterator[RealSwift]:
    """Runs a devserver until the block or this process ends; it speaks Swift's v1 auth like the real one."""
    command = [sys.executable, "-m", "bulkput.devserver", "--until-stdin-closes", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        ready = json.loads(server.stdout.readline())
        try:
            yield RealSwift(ready["auth_url"], ready["user"], ready["key"])
        finally:
            server.terminate()
