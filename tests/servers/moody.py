"""A devserver with moods, in a process of its own: slow, refusing some names, at times asking for fewer requests."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

from bulkput.devserver import DevServer, DevServerOptions, Handler, ResourceKind, parse_target
from tests.servers.swift import RealSwift


@contextmanager
def moody(*, put_s: float, throttle_each: int = 0, refuse: str = "") -> Iterator[RealSwift]:
    """Runs it until the block or this process ends. A PUT takes `put_s`; each `throttle_each`th is answered by 429, and
    one of a name that has `refuse` in it by 400."""
    command = [sys.executable, "-m", "tests.servers.moody", json.dumps([put_s, throttle_each, refuse])]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as server:
        assert server.stdout is not None
        ready = json.loads(server.stdout.readline())
        try:
            yield RealSwift(*ready)
        finally:
            server.terminate()


async def serve(put_s: float, throttle_each: int, refuse: str) -> None:
    """Ends when stdin does."""
    puts = 0

    async def intercept(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal puts
        target = parse_target(request.raw_path)
        if request.method != "PUT" or target.kind is not ResourceKind.OBJECT:
            return await handler(request)
        puts += 1
        is_refused = refuse and refuse in target.name
        if is_refused or (throttle_each and puts % throttle_each == 0):
            await request.read()
            return web.Response(status=400, text="no such name") if is_refused else web.Response(status=429)
        await asyncio.sleep(put_s)
        return await handler(request)

    options = DevServerOptions()
    async with DevServer(options, intercept=intercept) as server:
        print(json.dumps([server.auth_url, options.user, options.key]), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(*json.loads(sys.argv[1])))
