"""obstore (Rust, object_store) putting a tree over plain HTTP, 64 at a time.

python -m benchmarks.obstore_put DIRECTORY URL
"""

import asyncio
import os
import sys

import obstore
from obstore.store import HTTPStore

IN_FLIGHT = 64


async def put_all(directory: str, url: str) -> None:
    store = HTTPStore(url, client_options={"allow_http": True})
    paths = iter([os.path.join(folder, name) for folder, _, names in os.walk(directory) for name in names])

    async def work() -> None:
        for path in paths:
            with open(path, "rb") as file:
                body = file.read()
            await obstore.put_async(store, os.path.relpath(path, directory), body, use_multipart=False)

    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))


if __name__ == "__main__":
    asyncio.run(put_all(*sys.argv[1:]))
    # Everything is stored; the library's threads now race with the interpreter's end, which sometimes aborts (seen in
    # about one of eight runs of obstore 0.12.1). That says nothing of its uploading.
    os._exit(0)
