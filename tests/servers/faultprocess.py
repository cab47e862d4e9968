"""The fault proxy in its own process: a test can kill it, and its work does not slow the client."""

from __future__ import annotations

import asyncio
import pickle
import struct
import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.servers.faultproxy import Count, FaultProxy, Plan, keep_port


class ProxyProcess:
    """A FaultProxy in its own process, which can be killed and restarted on the same port.

    It ends with the block or with this process. Blocks: start it in a thread from async tests.
    """

    def __init__(self, host: str, port: int, plan: Plan | None = None) -> None:
        self._keeper = keep_port()
        self.port: int = self._keeper.getsockname()[1]
        self._order = pickle.dumps((host, port, plan or Plan(), self.port))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._keeper.close()

    def start(self) -> None:
        """Starts the process; returns when it listens."""
        command = [sys.executable, "-c", "from tests.servers.faultprocess import serve; serve()"]
        root = Path(__file__).parents[2]
        self._process = process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(struct.pack("I", len(self._order)) + self._order)
        process.stdin.flush()
        assert process.stdout.readline() == b"ready\n", "the proxy did not start"

    def kill(self) -> None:
        """Sends SIGKILL; returns when the process is gone. Its counts are lost."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate()
        self._process = None

    def stop(self) -> Count:
        """Ends the process; gives its counts since its last start."""
        if self._process is None:
            return Count()
        said, _ = self._process.communicate()
        self._process = None
        count = pickle.loads(said)
        assert isinstance(count, Count)
        return count


def serve() -> None:
    """Runs in the process: reads its order from stdin, serves until stdin ends, then writes the counts to stdout."""
    (length,) = struct.unpack("I", sys.stdin.buffer.read(4))
    host, port, plan, listen_on = pickle.loads(sys.stdin.buffer.read(length))

    async def main() -> Count:
        async with FaultProxy(host, port, plan, listen_on=listen_on) as proxy:
            sys.stdout.buffer.write(b"ready\n")
            sys.stdout.buffer.flush()
            await asyncio.to_thread(sys.stdin.buffer.read)
            return proxy.count

    sys.stdout.buffer.write(pickle.dumps(asyncio.run(main())))
