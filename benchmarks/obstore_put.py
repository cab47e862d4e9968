"""obstore (Rust, object_store) putting a tree over plain HTTP or S3, 64 at a time.

python -m benchmarks.obstore_put DIRECTORY URL
python -m benchmarks.obstore_put DIRECTORY ENDPOINT BUCKET      S3, with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
"""

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import obstore
from obstore.store import HTTPStore, S3Store

if TYPE_CHECKING:
    from obstore.store import ClientConfig

IN_FLIGHT = 64


async def put_all(directory: str, url: str, bucket: str | None = None) -> None:
    options: ClientConfig = {"allow_http": True}
    store = S3Store(bucket, endpoint=url, client_options=options) if bucket else HTTPStore(url, client_options=options)
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
