"""What an engineer writes in an hour: aiohttp, 64 tasks, each file read and PUT with its MD5. No more.

    python -m benchmarks.plain_aiohttp DIRECTORY URL|CONTAINER      (a container: v1 auth from ST_AUTH, ST_USER, ST_KEY)

No checks of answers beyond their status, no retries, no bound on the list of files: this is the floor of what the
library costs, not a tool.
"""

import asyncio
import hashlib
import os
import sys
from urllib.parse import quote

import aiohttp
import uvloop
from yarl import URL

from benchmarks.baselines import Account

IN_FLIGHT = 64


async def put_all(directory: str, base: str, headers: dict[str, str]) -> None:
    paths = iter([os.path.join(folder, name) for folder, _, names in os.walk(directory) for name in names])
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:

        async def work() -> None:
            for path in paths:
                with open(path, "rb") as file:
                    body = file.read()
                url = URL(base + quote(os.path.relpath(path, directory)), encoded=True)
                fields = {**headers, "ETag": hashlib.md5(body).hexdigest(), "Content-Type": "application/octet-stream"}
                async with session.put(url, data=body, headers=fields) as answer:
                    await answer.read()
                    answer.raise_for_status()

        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))


def main(directory: str, target: str) -> None:
    if target.startswith("http"):
        uvloop.run(put_all(directory, target, {}))
        return
    account = Account(os.environ["ST_AUTH"], os.environ["ST_USER"], os.environ["ST_KEY"])
    account.request("PUT", target)
    uvloop.run(put_all(directory, f"{account.storage_url}/{target}/", account.token))


if __name__ == "__main__":
    main(*sys.argv[1:])
