"""Reading gzip files, damaged ones and plain files with isal and with zlib."""

import gzip
import random

import pytest

from bulkput.payload import inflate
from bulkput.payload.inflate import DamagedGzip, Inflate

TEXT = b"".join(b"line %d\n" % number for number in range(2_000))


@pytest.fixture(params=["isal", "zlib"], autouse=True)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "zlib":
        monkeypatch.setattr(inflate, "isal", lambda: None)
    else:
        pytest.importorskip("isal")


def unpacked(data: bytes, step: int) -> bytes:
    one = Inflate()
    pieces = [piece for at in range(0, len(data), step) for piece in one.feed(data[at : at + step])]
    assert all(len(piece) <= max(step, 1024 * 1024) for piece in pieces)
    return b"".join(pieces) + one.end()


@pytest.mark.parametrize("step", [1, 7, 4_096, 10_000_000])
@pytest.mark.parametrize("plain", [b"", b"\x1f", b"a", TEXT, random.Random(1).randbytes(3_000)])
def test_gzip_files_are_unpacked_unchanged(plain: bytes, step: int) -> None:
    """They are plain, have one or two members, or are padded with zeros."""
    assert unpacked(plain, step) == plain
    packed = gzip.compress(plain, mtime=0)
    assert unpacked(packed, step) == plain
    assert unpacked(packed + packed, step) == plain * 2
    assert unpacked(packed + b"\0" * 512, step) == plain


def test_highly_compressed_data_is_unpacked_in_bounded_pieces() -> None:
    assert unpacked(gzip.compress(b"x" * 5_000_000) + gzip.compress(b"y"), 10_000_000) == b"x" * 5_000_000 + b"y"


@pytest.mark.parametrize("step", [1, 1_000_000])
@pytest.mark.parametrize(
    "bad",
    [
        gzip.compress(TEXT, mtime=0)[:-1],
        gzip.compress(TEXT, mtime=0)[:100],
        b"\x1f\x8b",
        gzip.compress(TEXT, mtime=0)[:-8] + b"12345678",
        gzip.compress(b"a", mtime=0) + b"garbage behind it, long enough",
        b"\x1f\x8bgarbage and more garbage",
    ],
)
def test_damaged_gzip_data_is_an_error(bad: bytes, step: int) -> None:
    with pytest.raises(DamagedGzip):
        unpacked(bad, step)
