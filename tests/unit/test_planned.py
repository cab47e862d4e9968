"""What a dry run prints for each file and object."""

import pytest

from bulkput import events as ev
from bulkput.model import ObjectHeaders, Reason, Ruling, Skip, SourceFile, Upload
from bulkput.report.planned import planned_line
from bulkput.report.rows import event_json

HEADERS = ObjectHeaders(
    content_type="text/html",
    cache_control="no-cache",
    expires_in_s=60,
    meta=(("color", "r\n"), ("size", "1")),
    extra=(("X-Gateway-Token", "secret"), ("Content-disposition", "inline")),
    storage_class="COLD",
)
RULING = Ruling("auto", (("content-type", 2), ("metadata.color", 1), ("gzip", 3)))
DRY = Skip(b"/s/a\n", b"a\n", Reason.DRY_RUN, "k\n", 1536)


def dry(headers: ObjectHeaders, ruling: Ruling) -> ev.Skipped:
    planned = Upload(SourceFile(b"/s/a", b"a", 7, 0), "k", headers, ruling)
    return ev.Skipped(Skip(b"/s/a", b"a", Reason.DRY_RUN, "k", 7, planned=planned))


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (ev.Skipped(DRY), r"would upload: /s/a\n -> k\n (1.5 KiB)"),
        (ev.Skipped(Skip(b"-", b"-", Reason.DRY_RUN, "k")), "would upload: - -> k (of unknown length)"),
        (
            ev.Skipped(Skip(b"a", b"a", Reason.DRY_RUN, "k", 10, (3, 4))),
            "would upload: a -> k (10 B, in 3 parts of 4 B)",
        ),
        (ev.Removed("k\n", 7, is_dry=True), r"would remove: k\n"),
        (ev.Removed("k", 7, is_dry=False), None),
        (ev.Skipped(Skip(b"a", b"a", Reason.EXISTING, "k")), None),
        (ev.ScanDone(), None),
    ],
)
def test_a_dry_run_prints_a_line_for_each_file_and_object(event: ev.Event, line: str | None) -> None:
    """With the object's name and the size; the same with -v if there are no rules."""
    assert planned_line(event) == line
    assert planned_line(event, verbose=True) == line


def test_a_verbose_dry_run_says_what_a_file_gets_and_by_which_rule() -> None:
    """On a second line. Fields that may hold a secret are left out."""
    first, second = (planned_line(dry(HEADERS, RULING), verbose=True) or "").split("\n")
    assert first == planned_line(dry(HEADERS, RULING)) == "would upload: /s/a -> k (7 B)"
    assert second == (
        "    content-type text/html (rule 2), cache-control no-cache, content-disposition inline, expires-in 60,"
        r" gzip auto (rule 3), storage-class COLD, metadata.color r\n (rule 1), metadata.size 1"
    )


@pytest.mark.parametrize(
    ("ruling", "shown"),
    [
        (Ruling("never", ()), "content-type x"),
        (Ruling("never", (("gzip", 1),)), "content-type x, gzip never (rule 1)"),
        (Ruling("auto", ()), "content-type x, gzip auto"),
    ],
)
def test_a_gzip_mode_that_is_the_default_is_not_told(ruling: Ruling, shown: str) -> None:
    """One that an option or a rule gives is."""
    line = planned_line(dry(ObjectHeaders(content_type="x"), ruling), verbose=True)
    assert line is not None and line.endswith(f"\n    {shown}")


def test_json_of_a_dry_run_has_headers_and_rules() -> None:
    """Only in a run with rules."""
    row = event_json(dry(HEADERS, RULING))
    assert row is not None
    assert row["headers"] == {
        "content-type": "text/html", "cache-control": "no-cache", "content-disposition": "inline", "expires-in": 60,
        "gzip": "auto", "storage-class": "COLD", "metadata.color": "r\n", "metadata.size": "1",
    }  # fmt: skip
    assert row["rules"] == {"content-type": 2, "metadata.color": 1, "gzip": 3}
    assert (event_json(ev.Skipped(DRY)) or {}).keys().isdisjoint({"headers", "rules"})
