"""A TCP server that sends exactly the bytes that the test writes, even if they are no valid HTTP."""

import asyncio
import itertools
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Literal, cast

Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]
Delivery = Literal["whole", "byte by byte", "random"]
_CUTS = 500
"""Number of pieces per connection; later bytes are sent whole."""
CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def raw_server(
    behave: Behave, *, receive_buffer: int | None = None, delivery: Delivery = "whole"
) -> AsyncIterator[str]:
    """Runs a server: `behave(reader, writer, n)` serves the n-th connection, from 0, which is closed when it returns.

    With a small `receive_buffer` (bytes) unread bytes stay in the client. `delivery` cuts the written bytes into
    pieces; the kernel usually sends each in its own segment.
    """
    count = 0
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        number, count = count, count + 1
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                if delivery == "whole":
                    await behave(reader, writer, number)
                else:
                    async with _cut(writer, delivery) as cut:
                        await behave(reader, cut, number)
        finally:
            running.discard(task)
            writer.close()

    listener = socket.create_server(("127.0.0.1", 0))
    if receive_buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    server = await asyncio.start_server(serve, sock=listener, limit=receive_buffer or 65_536)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in running:
            task.cancel()


class _CuttingWriter:
    """Stands in for a StreamWriter and passes its bytes on in pieces, one per turn of the event loop."""

    def __init__(self, writer: asyncio.StreamWriter, delivery: Delivery) -> None:
        self._writer = writer
        self._sizes = itertools.repeat(1) if delivery == "byte by byte" else _random_sizes()
        self._left = _CUTS
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue()

    def write(self, data: bytes) -> None:
        self._waiting.put_nowait(data)

    def can_write_eof(self) -> bool:
        return False  # queued bytes would follow the EOF

    def close(self) -> None:
        self._waiting.put_nowait(None)

    async def pass_on(self) -> None:
        """Passes pieces on until `close`, or until the connection is lost."""
        with suppress(ConnectionError):
            while (data := await self._waiting.get()) is not None:
                while data:
                    size = next(self._sizes) if self._left > 0 else len(data)
                    self._left -= 1
                    self._writer.write(data[:size])
                    await self._writer.drain()
                    await asyncio.sleep(0)
                    data = data[size:]


def _random_sizes() -> Iterator[int]:
    chance = random.Random(7)
    while True:
        yield chance.randint(1, 40)


@asynccontextmanager
async def _cut(writer: asyncio.StreamWriter, delivery: Delivery) -> AsyncIterator[asyncio.StreamWriter]:
    cutting = _CuttingWriter(writer, delivery)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(cutting.pass_on())
        try:
            yield cast(asyncio.StreamWriter, cutting)
        finally:
            cutting.close()


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Reads one request with Content-Length; gives its head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    return head, await reader.readexactly(length)
