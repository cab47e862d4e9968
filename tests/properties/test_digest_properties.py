"""The digest of a body does not depend on how it is cut."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

from hypothesis import given, settings
from hypothesis import strategies as st

from bulkput.payload.digest import DigestingBody


class Pieces:
    size = data = md5 = None
    length_hint = 0

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=5000), max_size=8))
def test_any_chunking_gives_the_md5_of_the_whole(pieces: list[bytes]) -> None:
    """The MD5 equals that of hashlib in every replay."""
    body = DigestingBody(Pieces(pieces))

    async def send() -> tuple[bytes, str]:
        return b"".join([chunk async for chunk in body.chunks()]), await body.sent_md5()

    for _ in range(2):
        whole, digest = asyncio.run(send())
        assert whole == b"".join(pieces)
        assert digest == hashlib.md5(whole).hexdigest()
        assert body.sent_bytes == len(whole)
