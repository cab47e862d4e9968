"""The page of a CI job. markdown-it is the judge: it is not ours, and reads tables and HTML as GitHub does."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bulkput import events as ev
from bulkput.errors import SourceError, StoreError, printable
from bulkput.model import ObjectHeaders, Reason, Skip, SourceFile, Stored, Upload
from bulkput.recorder import Recorder
from bulkput.report.job_page import MOST_ROWS, Job, code, job_page
from bulkput.results import Summary

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
NAMES = st.one_of(
    st.text(st.one_of(st.sampled_from("|`<>&*_[]()#~!\\@:/.$-+=w \n\r\t'\""), st.characters()), max_size=40),
    st.sampled_from(["</code>", "<!-- ", "-->", "<script>", "[a](http://b.c)", "|---|", "http://a.bc", "a@b.cd"]),
)
LINK = re.compile(r"www\.|https?://|ftp://|[\w.+-]+@[\w-]+\.|(mailto|xmpp):", re.IGNORECASE)
"""What GFM's autolinks begin with (6.9)."""


class Read(HTMLParser):
    """A rendered page: the names of its elements, and each text that stands alone between two tags or comments."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.pieces: list[str] = []
        self.links: list[str | None] = []
        self.cells: list[str] = []
        self._is_in_cell = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag in ("td", "th", "li"):
            self.cells.append("")
            self._is_in_cell = True
        if tag == "a":
            self.links.append(dict(attrs).get("href"))
        else:
            assert not [name for name, _ in attrs if name != "style"]

    def handle_endtag(self, tag: str) -> None:
        self._is_in_cell = self._is_in_cell and tag not in ("td", "th", "li")

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)
        if self._is_in_cell:
            self.cells[-1] += data


def read(markdown: str) -> Read:
    return Read(MARKDOWN.render(markdown))


@given(NAMES, NAMES)
@example("a|b", "`")
@example("# a", "> a")
@example("www.evil.example", "see www.evil.example")
@example("http://evil.example/", "mail me@evil.example")
@example("</code><a href=x>y</a>", "<!-- -->")
@example("~~a~~", "**a**")
@example("&lt;script&gt;", "\\|")
def test_no_name_leaves_its_cell_or_makes_html_or_a_link(one: str, other: str) -> None:
    """A row of two cells shows both names as they are printed elsewhere, in `code`, and nothing else."""
    shown = read(f"| a | b |\n|---|---|\n| {code(one)} | {code(other)} |\n\nend")
    assert shown.tags == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "code", "td", "code", "p"]
    assert shown.cells[2:] == [printable(one), printable(other)]


@given(NAMES)
@example("www.evil.example")
@example("xhttp://evil.example/")
@example("me@evil.example")
def test_no_piece_of_a_name_is_text_that_becomes_a_link(name: str) -> None:
    """GitHub looks for such text after character references are read, between two elements or comments."""
    assert not [piece for piece in read(f"- {code(name)}").pieces if LINK.search(piece)]


@given(NAMES)
def test_a_name_is_shown_as_it_is_printed(name: str) -> None:
    """In a list, whose item it does not leave."""
    shown = read(f"- {code(name)}\n- end")
    assert shown.tags == ["ul", "li", "code", "li"]
    assert shown.cells[0] == printable(name)


def test_a_long_name_is_cut() -> None:
    """The page stays readable, and short enough."""
    assert code("a" * 5_000) == f"<code>{'a' * 497}...</code>"


FILE = SourceFile(b"dist/a.html", b"a.html", 10, 0)


def uploaded(key: str = "a.html") -> ev.Uploaded:
    return ev.Uploaded(Upload(FILE, key, ObjectHeaders()), Stored(key, 10, "etag", "tx1"), 10, 0, 0.5)


def failed(number: int) -> ev.Failed:
    key = f"p|{number}"
    return ev.Failed(key.encode(), key, StoreError("put", key, "Bad <b>Request", status=400, request_id="tx1"))


def summary(*events: ev.Event, tag: str | None = None) -> Summary:
    recorder = Recorder()
    recorder.tag = tag
    for event in events:
        recorder(event)
        if isinstance(event, ev.Uploaded | ev.Failed | ev.Skipped):
            recorder(ev.Discovered(FILE))
    recorder(ev.Finished(1.25, {"PUT": 3, "GET": 1}, 1))
    return recorder.summary()


def page(counted: Summary, *, urls: tuple[str, ...] = (), is_public: bool = False, error: str | None = None) -> str:
    job = Job(
        sources=("dist",), destination="swift://c/p", summary=counted, urls=urls, is_public=is_public, error=error
    )
    return job_page(job)


def test_a_page_says_what_was_published_where_and_how_much() -> None:
    """Sources, destination, tag, counts, bytes, time and requests."""
    skip = ev.Skipped(Skip(b"dist/b", b"b", Reason.UNCHANGED, "b"))
    text = page(summary(uploaded(), skip, skip, ev.Removed("old", 1, is_dry=False), tag="build-4711"))
    shown = read(text)
    assert text.startswith("## bulkput: published\n")
    assert "dist to swift://c/p, tag build-4711" in "".join(shown.pieces)
    assert dict(zip(shown.cells[::2], shown.cells[1::2], strict=True)) == {
        "found": "3", "uploaded": "1", "skipped: not changed since it was stored": "2", "failed": "0", "removed": "1",
        "sent": "10 B", "time": "1.2 s", "requests": "4",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("events", "error", "status"),
    [
        ([uploaded()], None, "published"),
        ([failed(1)], None, "failed"),
        ([ev.Kept(1, "why")], None, "failed"),
        ([ev.Stopping("denied", ev.StopCause.STORE)], None, "stopped"),
        ([failed(1), ev.Stopping("3 failed", ev.StopCause.ERRORS)], None, "stopped"),
        ([], "journal up.db: locked", "stopped"),
        ([ev.Skipped(Skip(b"a", b"a", Reason.DRY_RUN, "a", 5))], None, "planned, nothing sent"),
    ],
)
def test_the_heading_says_how_the_run_ended(events: list[ev.Event], error: str | None, status: str) -> None:
    """A stop says why."""
    text = page(summary(*events), error=error)
    assert text.startswith(f"## bulkput: {status}\n")
    assert ("Stopped: " in text) == (status == "stopped")


def test_the_first_hundred_failures_are_a_table() -> None:
    """File, object and reason; the rest is counted."""
    text = page(summary(*map(failed, range(250))))
    cells = read(text).cells
    first = cells.index("reason") + 1
    assert cells[first : first + 3] == ["p|0", "p|0", "put p|0: 400 Bad <b>Request (tx1)"]
    assert cells[-3] == "p|99" and text.rstrip().endswith("and 150 more")
    nameless = read(page(summary(ev.Failed(b"/x", None, SourceError(b"/x", "name", "no")))))
    assert nameless.cells[-3:] == ["/x", "", "read /x: name: no"]


def test_urls_are_links_only_where_everyone_may_read() -> None:
    """And only if they are made of characters that we quote with: the server names its account."""
    urls = tuple(f"https://h.example:8080/v1/AUTH_a/c/{number}%20x" for number in range(MOST_ROWS))
    counted = summary(*(uploaded() for _ in range(103)))
    public = read(page(counted, urls=urls, is_public=True))
    assert public.links == list(urls) and public.pieces[-2] == "and 3 more"
    assert read(page(counted, urls=urls)).links == []
    odd = ("https://h/v1/a b/x", "https://h/<b>", "javascript:alert(1)", "https://h/'\"", "https://u@h/x")
    assert read(page(counted, urls=odd, is_public=True)).links == []


def test_a_page_is_never_longer_than_asked_for() -> None:
    """Whatever the names are: fewer failures and URLs are shown, and if there is no room at all, no page."""
    counted = summary(*(failed(number) for number in range(200)), *(uploaded() for _ in range(200)))
    job = Job(sources=("|" * 900,) * 9, destination="swift://c", summary=counted, urls=("https://h/" + "x" * 400,) * 99)
    for most in (0, 1_000, 20_000, 30_000, 1024 * 1024):
        text = job_page(job, max_bytes=most)
        assert len(text.encode()) <= most
        assert most < 20_000 or text.startswith("## bulkput: failed")
