"""Which files are sent compressed, row by row."""

import bz2
import gzip
import io
import lzma
import zipfile

import pytest

from bulkput.model import Compression, Why
from bulkput.options import GzipOptions
from bulkput.policy.compress import (
    COMPRESSED_SUFFIXES,
    MAGIC_SIZE,
    SAMPLE_SIZE,
    decide_by_magic,
    decide_by_name,
    decide_by_result,
    decide_by_sample,
    sample_ranges,
)

AUTO = GzipOptions(mode="auto")
ALWAYS = GzipOptions(mode="always")
NEVER = GzipOptions(mode="never")


@pytest.mark.parametrize(
    ("name", "size", "options", "decision"),
    [
        ("a.txt", 0, ALWAYS, Compression(True, Why.ASKED)),
        ("a.txt", 1, ALWAYS, Compression(True, Why.ASKED)),
        ("a.gz", 10_000, ALWAYS, Compression(True, Why.ASKED)),
        ("a.txt", 0, NEVER, Compression(False, Why.NOT_ASKED)),
        ("a.txt", 10_000, NEVER, Compression(False, Why.NOT_ASKED)),
        ("a.txt", 0, AUTO, Compression(False, Why.EMPTY)),
        ("a.gz", 0, AUTO, Compression(False, Why.EMPTY)),
        ("a.txt", 1023, AUTO, Compression(False, Why.SMALL)),
        ("a.gz", 1023, AUTO, Compression(False, Why.SMALL)),
        ("a.txt", 1024, AUTO, None),
        ("a.txt", 7, GzipOptions(mode="auto", min_size=7), None),
        ("a.gz", 1024, AUTO, Compression(False, Why.NAME)),
        ("d.txt/A.JPG", 1024, AUTO, Compression(False, Why.NAME)),
        ("a.tar.zst", 1024, AUTO, Compression(False, Why.NAME)),
        ("d/.gz", 1024, AUTO, None),
        ("gz", 1024, AUTO, None),
        ("d.gz/README", 1024, AUTO, None),
        ("a.gz/", 1024, AUTO, None),
        ("a.", 1024, AUTO, None),
        ("", 1024, AUTO, None),
    ],
)
def test_the_name_and_the_size_are_checked_first(
    name: str, size: int, options: GzipOptions, decision: Compression | None
) -> None:
    """`always` compresses everything; `auto` leaves empty files and files with a compressed format's suffix alone."""
    assert decide_by_name(name, size, options) == decision


@pytest.mark.parametrize("options", [AUTO, ALWAYS])
@pytest.mark.parametrize("size", [0, 10, 10_000])
def test_an_excluded_file_is_never_compressed(options: GzipOptions, size: int) -> None:
    """This holds for any size and for `always`."""
    assert decide_by_name("a.txt", size, options, is_excluded=True) == Compression(False, Why.EXCLUDED)


def test_the_suffix_table_is_lower_case_and_has_no_text_formats() -> None:
    """Suffixes are looked up in lower case and without a dot."""
    assert all(suffix == suffix.lower() and suffix.isalnum() for suffix in COMPRESSED_SUFFIXES)
    assert not COMPRESSED_SUFFIXES & {
        "ts",
        "mts",
        "key",
        "txt",
        "svg",
        "json",
        "csv",
        "bmp",
        "tif",
        "tar",
        "pdf",
        "npz",
    }


def zipped(method: int) -> bytes:
    """A zip file of one entry."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("name", b"text " * 100)
    return file.getvalue()


@pytest.mark.parametrize(
    "first",
    [
        gzip.compress(b"text", mtime=0),
        bz2.compress(b"text"),
        lzma.compress(b"text"),
        zipped(zipfile.ZIP_DEFLATED),
        bytes.fromhex("28b52ffd"),
        bytes.fromhex("377abcaf271c"),
        b"Rar!\x1a\x07\x01\x00",
        bytes.fromhex("04224d18"),
        b"\x89PNG\r\n\x1a\n",
        bytes.fromhex("ffd8ffe0"),
        b"GIF89a",
        b"RIFF\x24\x0a\r\nWEBPVP8 ",
        b"\x00\x00\x00\x20ftypisom",
        b"\x00\x00\x00\x1cftypavif",
        b"\x00\x00\x00\x0cjP  \r\n\x87\n",
        b"\x00\x00\x00\x0cJXL \r\n\x87\n",
        b"OggS\x00\x02",
        b"fLaC\x00",
        b"ID3\x04\x00",
        b"\x1a\x45\xdf\xa3",
        b"PAR1\x15",
        b"wOF2\x00\x01",
        b"!<arch>\ndebian-binary   1",
        b"PACK\x00\x00\x00\x02",
        b"MSCF\x00\x00\x00\x00",
        b"\xed\xab\xee\xdb",
        b"\xff\x06\x00\x00sNaPpY",
    ],
)
def test_a_compressed_format_is_recognised_by_its_magic_number(first: bytes) -> None:
    """The name does not matter; the standard library makes the examples where it can."""
    assert decide_by_magic(first[:MAGIC_SIZE]) == Compression(False, Why.MAGIC)
    assert decide_by_magic(first + bytes(100)) == Compression(False, Why.MAGIC)


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"\x1f",
        b"\x1f\x8b",
        b"#!/bin/sh\n",
        b"<svg xmlns=",
        b"%PDF-1.7\n",
        b"BZh is how a text may begin",
        b"GIF is pronounced",
        b"LZIP, a program",
        b"PACKAGES",
        b"PK\x03\x04",
        b"RIFF\x24\x0a\r\nWAVEfmt ",
        b"!<arch>\n/               ",
        b"ID3 tags",
        b"x" + gzip.compress(b"text", mtime=0),
        zipped(zipfile.ZIP_STORED),
    ],
)
def test_ambiguous_first_bytes_leave_the_decision_open(first: bytes) -> None:
    """Texts may begin alike, and some formats may hold uncompressed data."""
    assert decide_by_magic(first) is None


@pytest.mark.parametrize(
    ("size", "compressed", "least_saving", "is_worth_it"),
    [
        (1000, 875, 0.125, True),
        (1000, 876, 0.125, False),
        (1000, 1018, 0.125, False),
        (1000, 1000, 0.0, True),
        (1000, 1001, 0.0, False),
        (1000, 500, 0.5, True),
    ],
)
def test_the_saving_is_checked_last(size: int, compressed: int, least_saving: float, is_worth_it: bool) -> None:
    """Files and samples have the same threshold; only the reasons differ."""
    options = GzipOptions(mode="auto", least_saving=least_saving)
    by_result, by_sample = decide_by_result(size, compressed, options), decide_by_sample(size, compressed, options)
    assert (by_result.is_compressed, by_sample.is_compressed) == (is_worth_it, is_worth_it)
    assert by_result.why is (Why.SAVES if is_worth_it else Why.SAVES_LITTLE)
    assert by_sample.why is (Why.SAMPLE_SAVES if is_worth_it else Why.SAMPLE_SAVES_LITTLE)


@pytest.mark.parametrize(
    ("size", "ranges"),
    [
        (0, ((0, 0),)),
        (1, ((0, 1),)),
        (2 * SAMPLE_SIZE, ((0, 2 * SAMPLE_SIZE),)),
        (2 * SAMPLE_SIZE + 1, ((0, SAMPLE_SIZE), (SAMPLE_SIZE, SAMPLE_SIZE))),
        (3 * SAMPLE_SIZE, ((0, SAMPLE_SIZE), (3 * SAMPLE_SIZE // 2, SAMPLE_SIZE))),
        (10 * 1024**4, ((0, SAMPLE_SIZE), (5 * 1024**4, SAMPLE_SIZE))),
    ],
)
def test_a_sample_is_taken_from_the_start_and_the_middle(size: int, ranges: tuple[tuple[int, int], ...]) -> None:
    """The ranges lie within the file and do not overlap; a small file is sampled as a whole."""
    assert sample_ranges(size) == ranges
    for (offset, length), (following, _) in zip(ranges, (*ranges[1:], (size, 0)), strict=True):
        assert offset + length <= following


def test_every_compression_reason_is_a_lower_case_phrase() -> None:
    """The reasons are printed unchanged."""
    assert all(why.value and why.value[0].islower() and not why.value.endswith(".") for why in Why)
