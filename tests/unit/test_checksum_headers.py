"""Checksums of bodies, and what answers say about them: `payload/checksums.py` and `policy/plain_http.py`."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkput.errors import SourceError
from bulkput.model import Body, SourceFile
from bulkput.options import BodyOptions
from bulkput.payload.body import BodyOpener, StreamedFile
from bulkput.payload.checksums import checksums_of
from bulkput.payload.in_memory import BytesBody
from bulkput.policy.plain_http import (
    Checksums,
    is_about_checksum,
    refuses_checksum,
    refuses_to_replace,
    stored_otherwise,
)
from bulkput.stores.reason import why
from bulkput.testing.given import Pieces

NAMES = st.lists(
    st.sampled_from(["already exists", "checksum", "mismatch", "sha1", "overwrite", "a", "b c", "it's", "x" * 90]),
    min_size=1,
    max_size=4,
).map("/".join)


def expected(content: bytes) -> Checksums:
    return Checksums(*(hashlib.new(name, content).hexdigest() for name in Checksums._fields))


def answer(message: str) -> str:
    """The reason of Artifactory's JSON, as the store gets it."""
    return why(409, "Conflict", json.dumps({"errors": [{"status": 409, "message": message}]}).encode())


@pytest.mark.parametrize(
    "body",
    [
        BytesBody.of(b""),
        BytesBody.of(b"x"),
        BytesBody.of(b"y" * 200_000),
        Pieces((b"ab", b"", b"c" * 70_000)),
        Pieces((b"a", b"b"), knows_size=False),
    ],
    ids=["empty", "small", "large", "pieces", "unknown size"],
)
async def test_the_checksums_are_those_of_all_bytes_and_the_body_can_still_be_sent(body: Body) -> None:
    content = b"".join([chunk async for chunk in body.chunks()])
    assert await checksums_of(body) == expected(content)
    assert b"".join([chunk async for chunk in body.chunks()]) == content


async def test_a_streamed_file_is_hashed_and_fails_if_it_changes_before_it_is_sent(tmp_path: Path) -> None:
    """What is sent has the checksums that were announced, or is not sent to its end."""
    path = tmp_path / "file"
    path.write_bytes(b"z" * 300_000)
    opener = BodyOpener(BodyOptions(buffer_size=1000, chunk_size=7000), lambda _event: None)
    try:
        status = path.stat()
        body = await opener.open(SourceFile(bytes(path), b"file", status.st_size, status.st_mtime_ns))
        assert isinstance(body, StreamedFile)
        assert await checksums_of(body) == expected(b"z" * 300_000)
        path.write_bytes(b"y" * 300_000)
        with pytest.raises(SourceError, match="changed"):
            async for _ in body.chunks():
                pass
    finally:
        opener.close()


def test_the_fields_are_those_of_artifactory_and_copy_nothing() -> None:
    """With X-Checksum-Deploy, it would take the bytes of another file."""
    fields = Checksums("1", "2", "3").as_fields()
    assert fields == {"X-Checksum-Md5": "1", "X-Checksum-Sha1": "2", "X-Checksum-Sha256": "3"}


@pytest.mark.parametrize(
    ("status", "said", "refuses"),
    [
        (409, "Conflict: Checksum policy 'LocalRepoChecksumPolicy: CLIENT' rejected the artifact 'libs:a.jar'", True),
        (409, "Checksum error for 'a.jar': received '1' but actual is '2'", True),
        (400, "Bad Request: checksum mismatch", True),
        (400, "The SHA-256 of the content does not match", True),
        (400, "digest invalid: expected sha256:1", True),
        (409, "the MD5 isn't the same", True),
        (409, "Checksum error for '" + "x" * 177 + "...", True),
        (409, "Conflict", False),
        (409, "a file with this checksum already exists", False),
        (409, "the parent directory does not exist", False),
        (400, "Repository does not allow updating assets: releases", False),
        (403, "checksum mismatch", False),
        (500, "checksum mismatch", False),
        (201, "checksum mismatch", False),
    ],
)
def test_a_refusal_of_a_checksum_is_known_by_status_and_words(status: int, said: str, refuses: bool) -> None:
    assert refuses_checksum(status, said, "a.jar") is refuses


@pytest.mark.parametrize("suffix", ["md5", "sha1", "sha256", "sha512", "SHA1"])
def test_a_file_that_says_the_checksum_of_another_is_not_damaged_by_the_network(suffix: str) -> None:
    """What it says is wrong: to send it again does not help."""
    said = "Checksum error for 'a.jar.sha1': received '1' but actual is '2'"
    assert not refuses_checksum(409, said, f"a.jar.{suffix}")
    assert is_about_checksum(409, said, f"a.jar.{suffix}"), "and no directory is missing"


@given(NAMES, st.sampled_from(["", "libs/", "libs/deep/"]))
@example("x" * 90 + "/already exists", "libs/")
def test_words_in_a_name_do_not_change_what_a_refusal_means(key: str, above: str) -> None:
    rejected = answer(
        f"Checksum policy 'LocalRepoChecksumPolicy: CLIENT' rejected the artifact 'repo:{above}{key}'. Checksums info:"
        " ChecksumsInfo{checksums={SHA-1=ChecksumInfo{type=SHA-1, original='1', actual='2'}}}"
    )
    assert refuses_checksum(409, rejected, key) and not refuses_to_replace(409, rejected, key)
    there = answer(f"The artifact 'repo:{above}{key}' already exists")
    if len(key) < 120:  # else the words stand behind what is left of the reason
        assert refuses_to_replace(409, there, key) and not refuses_checksum(409, there, key)
    missing = answer(f"There is no directory for '{above}{key}'")
    assert not refuses_checksum(409, missing, key) and not refuses_to_replace(409, missing, key)


@given(st.integers(), st.text(), st.text())
def test_no_answer_is_both_a_taken_name_and_a_wrong_checksum(status: int, said: str, key: str) -> None:
    assert not (refuses_checksum(status, said, key) and refuses_to_replace(status, said, key))


@pytest.mark.parametrize(
    ("told", "is_other"),
    [
        ({"checksums": expected(b"x")._asdict()}, False),
        ({"checksums": {name: value.upper() for name, value in expected(b"x")._asdict().items()}}, False),
        ({"checksums": {"sha1": expected(b"x").sha1}}, False),
        ({"checksums": {"md5": None, "sha1": 1}}, False),
        ({"checksums": expected(b"y")._asdict()}, True),
        ({"checksums": {"sha256": expected(b"y").sha256}}, True),
        ({"originalChecksums": expected(b"y")._asdict()}, False),
        ({"checksums": []}, False),
    ],
)
def test_a_success_that_tells_other_checksums_is_none(told: object, is_other: bool) -> None:
    """Artifactory tells them in the JSON of its 201."""
    reason = stored_otherwise(json.dumps(told).encode(), expected(b"x"), "a.jar")
    assert (reason is not None) is is_other
    assert stored_otherwise(json.dumps(told).encode(), expected(b"x"), "a.jar.md5") is None, "it may be about a.jar"


@given(st.binary() | st.just(b'{"checksums"') | st.just(b'{"checksums": 1}') | st.just(b"{" * 100_000 + b'"checksums"'))
def test_an_answer_that_is_no_json_tells_nothing(body: bytes) -> None:
    assert stored_otherwise(body, expected(b"x"), "a.jar") is None
