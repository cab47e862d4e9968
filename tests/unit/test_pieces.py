"""MD5 of pieces, however the chunks fall."""

import hashlib
import os
from pathlib import Path

import pytest

from bulkput.errors import SourceError
from bulkput.model import SourceFile
from bulkput.options import BodyOptions
from bulkput.payload.body import BodyOpener
from bulkput.payload.pieces import md5_of_pieces
from bulkput.testing.given import Pieces

CONTENT = bytes(range(256)) * 4


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.mark.parametrize("chunk", [1, 7, 256, 1024])
@pytest.mark.parametrize("sizes", [(1024,), (512, 512), (1, 1000, 23), (0, 1024, 0)])
async def test_chunks_and_pieces_are_cut_independently(chunk: int, sizes: tuple[int, ...]) -> None:
    """Each piece has its own MD5, also an empty one."""
    body = Pieces(tuple(CONTENT[at : at + chunk] for at in range(0, len(CONTENT), chunk)))
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    expected = tuple(md5(CONTENT[end - size : end]) for size, end in zip(sizes, ends, strict=True))
    assert await md5_of_pieces(body, sizes) == expected


async def test_pieces_of_a_shorter_or_longer_body_cover_its_bytes() -> None:
    """The caller compares the sizes."""
    assert await md5_of_pieces(Pieces((b"abc",)), (2, 2)) == (md5(b"ab"), md5(b"c"))
    assert await md5_of_pieces(Pieces((b"abc",)), (2,)) == (md5(b"ab"),)


async def test_an_error_of_the_source_is_raised_instead_of_an_md5() -> None:
    """Its own error comes out."""
    failure = SourceError(b"/f", "changed", "while it was read")
    with pytest.raises(SourceError) as raised:
        await md5_of_pieces(Pieces((b"a", b"b"), failure=failure), (2,))
    assert raised.value is failure


async def test_a_file_modified_while_it_is_hashed_has_no_md5(tmp_path: Path) -> None:
    """The file is checked again after the last read."""
    path = tmp_path / "large"
    path.write_bytes(bytes(10_000))
    status = path.stat()
    opener = BodyOpener(BodyOptions(buffer_size=1, chunk_size=1000), lambda _event: None)
    try:
        body = await opener.open(SourceFile(os.fsencode(path), b"large", status.st_size, status.st_mtime_ns))
        with path.open("r+b") as file:
            file.write(b"x")
        with pytest.raises(SourceError, match="changed: it was written to"):
            await md5_of_pieces(body, (body.size,))
    finally:
        opener.close()
