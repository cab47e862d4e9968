"""The manifest of a publish: its lines, what verifying one says, and both on disk."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.events import Event, Skipped, Uploaded, Verdict
from bulkput.model import ObjectHeaders, Reason, RemoteObject, Skip, SourceFile, Stored, Upload
from bulkput.options import NamingOptions, UploadOptions
from bulkput.policy.compare import Need
from bulkput.policy.manifest import (
    Published,
    check_manifest,
    judge_head,
    judge_listed,
    line_of,
    manifest_key,
    published,
    row_of,
)
from bulkput.sources.published import FetchedManifest, PublishedNotes

A, B, NOTHING = "a" * 32, "b" * 32, "d41d8cd98f00b204e9800998ecf8427e"
TEXT, HTML = "text/plain", "text/html"
LINE = Published("n", 7, A, TEXT)
IN_PARTS = Published("n", 7, f"{A}-3", TEXT)
UNPROVEN = Published("n", 7, None, TEXT)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
ROWS = st.builds(
    Published,
    TEXTS.filter(bool),
    st.none() | st.integers(0, 2**63),
    st.none() | st.from_regex(r"[0-9a-f]{32}(-[1-9][0-9]{0,3})?", fullmatch=True),
    st.none() | TEXTS,
)


def obj(size: int | None = 7, md5: str | None = A, kind: str | None = TEXT, **more: object) -> RemoteObject:
    return RemoteObject("n", size, md5, kind, None, **more)  # type: ignore[arg-type]


def sent(etag: str | None, *, parts: int = 0, **headers: object) -> Uploaded:
    upload = Upload(SourceFile(b"/s/n", b"n", 7, 0), "p/n", ObjectHeaders(content_type=TEXT, **headers))  # type: ignore[arg-type]
    return Uploaded(upload, Stored("p/n", 7, etag, None), 9, 0, 0.1, parts=parts)


def skipped(there: RemoteObject | None) -> Skipped:
    return Skipped(Skip(b"/s/n", b"n", Reason.IDENTICAL, "n", there=there))


@given(ROWS)
def test_a_line_gives_its_row_back_for_any_name(row: Published) -> None:
    """The line is JSON in ASCII, with one line end."""
    line = line_of(row)
    assert line.isascii() and line.count(b"\n") == 1 and line.endswith(b"\n")
    assert row_of(line) == row
    assert json.loads(line) == {
        "name": row.name,
        "bytes": row.bytes,
        "hash": row.hash,
        "content_type": row.content_type,
    }


@given(st.binary())
def test_any_other_line_is_refused_with_a_reason(line: bytes) -> None:
    """The error is a ValueError with a text."""
    with pytest.raises(ValueError, match=r"^(it|its) "):
        row_of(line)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": ""}, "its name is no object name"),
        ({"name": "\ud800"}, "its name is no object name"),
        ({"bytes": -1}, "its bytes are no number of bytes"),
        ({"bytes": True}, "its bytes are no number of bytes"),
        ({"bytes": "7"}, "its bytes are no number of bytes"),
        ({"hash": f'"{A}"'}, "its hash is no MD5 in hex"),
        ({"hash": A.upper()}, "its hash is no MD5 in hex"),
        ({"hash": f'"{A}-3"'}, "its hash is no MD5 in hex"),
        ({"content_type": 1}, "its content_type is no text"),
    ],
)
def test_a_field_of_another_kind_is_refused(change: dict[str, object], why: str) -> None:
    """Unknown fields are ignored; a missing one is named."""
    good: dict[str, object] = {"name": "n", "bytes": 7, "hash": A, "content_type": TEXT}
    assert row_of(json.dumps(good | {"more": []}).encode()) == LINE
    with pytest.raises(ValueError, match=why):
        row_of(json.dumps(good | change).encode())
    (field,) = change
    with pytest.raises(ValueError, match=f"it has no field {field}"):
        row_of(json.dumps({name: value for name, value in good.items() if name != field}).encode())


@pytest.mark.parametrize(
    ("event", "row"),
    [
        (sent(A), Published("p/n", 7, A, TEXT)),
        (sent(f'"{A}"'), Published("p/n", 7, A, TEXT)),
        (sent(None), Published("p/n", 7, None, TEXT)),
        (sent(A, parts=3), Published("p/n", 7, None, TEXT)),
        (sent(f"{A}-3", parts=3), Published("p/n", 7, f"{A}-3", TEXT)),
        (sent(f"{A}-1"), Published("p/n", 7, f"{A}-1", TEXT)),
        (sent(A, extra=(("content-TYPE", HTML),)), Published("p/n", 7, A, HTML)),
        (sent(A, extra=(("X-Detect-Content-Type", "True"),)), Published("p/n", 7, A, None)),
        (skipped(obj()), LINE),
        (skipped(obj(large="static")), UNPROVEN),
        (skipped(obj(None, NOTHING, large="static")), Published("n", None, None, TEXT)),
        (skipped(obj(md5=f"{A}-3")), IN_PARTS),
        (skipped(obj(md5=f"{A}-x")), UNPROVEN),
        (skipped(obj(0, NOTHING, link="c/other")), Published("n", None, None, None)),
        (skipped(None), None),
    ],
)
def test_an_event_gives_the_line_of_what_is_stored(event: Event, row: Published | None) -> None:
    """The size is the stored one; what nothing proves is None."""
    assert published(event) == row


@pytest.mark.parametrize(
    ("line", "row", "verdict"),
    [
        (LINE, None, Need.HEAD),
        (LINE, obj(), Verdict.IDENTICAL),
        (LINE, obj(kind="TEXT/plain "), Verdict.IDENTICAL),
        (LINE, obj(kind=None), Verdict.IDENTICAL),
        (LINE, obj(8), Need.HEAD),
        (LINE, obj(md5=B), Need.HEAD),
        (LINE, obj(kind=HTML), Need.HEAD),
        (LINE, obj(large="static"), Need.HEAD),
        (LINE, obj(md5=f"{A}-3"), Need.HEAD),
        (IN_PARTS, obj(md5=f'"{A}-3"'), Verdict.IDENTICAL),
        (IN_PARTS, obj(md5=f"{A}-3", large="static"), Need.HEAD),
        (IN_PARTS, obj(md5=f"{A}-4"), Need.HEAD),
        (IN_PARTS, obj(), Need.HEAD),
        (LINE, obj(None, NOTHING, large="static"), Need.HEAD),
        (LINE, obj(link="c/other"), Need.HEAD),
        (Published("n", 0, NOTHING, TEXT), obj(0, NOTHING), Need.HEAD),
        (
            Published("n", 0, NOTHING, "application/directory"),
            obj(0, NOTHING, "application/directory"),
            Verdict.IDENTICAL,
        ),
        (UNPROVEN, obj(), Verdict.NOT_COMPARABLE),
        (UNPROVEN, obj(large="static"), Verdict.NOT_COMPARABLE),
        (UNPROVEN, obj(0, NOTHING), Need.HEAD),
        (UNPROVEN, obj(8), Need.HEAD),
        (Published("n", None, None, None), obj(8), Verdict.NOT_COMPARABLE),
    ],
)
def test_the_row_of_a_listing_decides_only_what_it_proves(
    line: Published, row: RemoteObject | None, verdict: Verdict | Need
) -> None:
    """Nothing is missing or different by the listing alone."""
    step = judge_listed(line, row)
    assert (step if isinstance(step, Need) else step.verdict) == verdict


@pytest.mark.parametrize(
    ("line", "head", "verdict"),
    [
        (LINE, None, Verdict.MISSING),
        (LINE, obj(), Verdict.IDENTICAL),
        (LINE, obj(link="c/other"), Verdict.IDENTICAL),
        (LINE, obj(8), Verdict.DIFFERENT),
        (LINE, obj(md5=B), Verdict.DIFFERENT),
        (LINE, obj(kind=HTML), Verdict.DIFFERENT),
        (LINE, obj(md5=None), Verdict.NOT_COMPARABLE),
        (LINE, obj(md5=f"{A}-3"), Verdict.NOT_COMPARABLE),
        (IN_PARTS, obj(md5=f"{A}-3"), Verdict.IDENTICAL),
        (IN_PARTS, obj(md5=f"{B}-3"), Verdict.NOT_COMPARABLE),
        (IN_PARTS, obj(), Verdict.NOT_COMPARABLE),
        (IN_PARTS, obj(8, f"{A}-3"), Verdict.DIFFERENT),
        (LINE, obj(large="dynamic"), Verdict.NOT_COMPARABLE),
        (LINE, obj(None), Verdict.NOT_COMPARABLE),
        (Published("n", 0, NOTHING, TEXT), obj(9, B, large="dynamic"), Verdict.DIFFERENT),
        (UNPROVEN, obj(), Verdict.NOT_COMPARABLE),
        (UNPROVEN, obj(8), Verdict.DIFFERENT),
        (UNPROVEN, obj(kind=HTML), Verdict.DIFFERENT),
    ],
)
def test_a_head_decides_the_rest(line: Published, head: RemoteObject | None, verdict: Verdict) -> None:
    """What is not identical has a reason, but a name that is simply not there."""
    judgement = judge_head(line, head, was_listed=False)
    assert judgement.verdict is verdict
    assert bool(judgement.why) == (verdict not in (Verdict.IDENTICAL, Verdict.MISSING))


def test_an_object_that_is_listed_and_gone_says_so() -> None:
    """A listing lags behind a removal."""
    assert judge_head(LINE, None, was_listed=True).why == "it was listed, but does not exist any more"


@given(ROWS, ROWS)
def test_nothing_is_identical_without_its_md5(line: Published, there: Published) -> None:
    """That holds for the listing and for a HEAD."""
    row = obj(there.bytes, there.hash, there.content_type)
    for step in (judge_listed(line, row), judge_head(line, row, was_listed=True)):
        if not isinstance(step, Need) and step.verdict is Verdict.IDENTICAL:
            assert line.hash is not None and line.hash == there.hash


@pytest.mark.parametrize("name", ["", "/", "a/", "/a", "a//b", "./a", "a/..", "..", "a\udcff"])
def test_a_name_that_no_file_could_have_is_refused(name: str) -> None:
    """The error names the option."""
    with pytest.raises(UsageError) as refused:
        check_manifest(UploadOptions(manifest=name))
    assert "manifest" in refused.value.options


def test_a_manifest_is_refused_with_what_hides_names_from_it() -> None:
    """A journal counts files, and a retry sees only some."""
    check_manifest(UploadOptions(manifest="meta/manifest.ndjson"))
    check_manifest(UploadOptions(journal="up.db"))
    for options in (
        UploadOptions(manifest="m", journal="up.db"),
        UploadOptions(manifest="m", journal="up.db", retry_failed=True),
    ):
        with pytest.raises(UsageError, match="`manifest`"):
            check_manifest(options)


def test_the_manifest_lies_below_a_destination_that_is_no_object() -> None:
    """As a file of that name would."""
    assert manifest_key("m", NamingOptions(prefix="p/")) == "p/m"
    with pytest.raises(UsageError, match="end the destination with a /"):
        manifest_key("m", NamingOptions(prefix="p", is_exact=True))


@pytest.fixture
def notes() -> Iterator[PublishedNotes]:
    made = PublishedNotes()
    yield made
    made.close()


def test_notes_are_written_in_bytewise_order_once_each(notes: PublishedNotes) -> None:
    """The later of two with one name counts; closing removes the file."""
    names = ["b", "a/b", "a", "a-", "é", "\uffff", "\U00010000"]
    notes.add([Published(name, 1, A, TEXT) for name in names])
    notes.add([Published("a", 2, None, None)])
    notes.write()
    path = Path(notes.path.decode())
    rows = [row_of(line) for line in path.read_bytes().splitlines()]
    assert [row.name for row in rows] == sorted(names, key=str.encode)
    assert rows[0] == Published("a", 2, None, None)
    notes.close()
    assert not path.exists()


@pytest.fixture
def fetched() -> Iterator[FetchedManifest]:
    made = FetchedManifest("swift://c/m")
    yield made
    made.close()


def test_a_fetched_manifest_can_be_read_more_than_once(fetched: FetchedManifest) -> None:
    """Pieces end anywhere; after `begin` nothing of an earlier try is left."""
    rows = [Published(f"{number:05}", number, A, TEXT) for number in range(2_500)]
    fetched.write(b"half of an earlier try")
    fetched.begin()
    whole = b"".join(map(line_of, rows))
    for start in range(0, len(whole), 1_000):
        fetched.write(whole[start : start + 1_000])
    for _ in range(2):
        assert [row for batch in fetched.batches() for row in batch] == rows


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (b"<html>", "line 1: it is no JSON object"),
        (line_of(LINE) + b"\n", "line 2: it is no JSON object"),
        (line_of(LINE) + line_of(LINE), "line 2: its name does not come after the name before it"),
        (line_of(Published("z", 1, A, None)) + line_of(LINE), "line 2: its name does not come after"),
        (line_of(LINE) + b"x" * 70_000, "line 2: it has more than 65536 bytes"),
        (line_of(LINE) + line_of(Published("o", 1, A, None))[:-3], "line 2: it is no JSON object"),
    ],
)
def test_a_bad_line_is_named_by_its_number(fetched: FetchedManifest, content: bytes, why: str) -> None:
    """So is a manifest that is cut off."""
    fetched.write(content)
    with pytest.raises(UsageError, match=f"swift://c/m is no manifest: {why}"):
        list(fetched.batches())
