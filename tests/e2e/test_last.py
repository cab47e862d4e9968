"""`bulkput upload --last`: pages go up after what they link to, or not at all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import bulkput as library
from bulkput import events as ev
from bulkput.devserver import DevServer, Handler
from bulkput.engine.stop import Stop
from bulkput.errors import UsageError
from bulkput.model import Reason
from bulkput.options import GzipOptions, RetryOptions, SkipOptions, UploadOptions, WireOptions
from bulkput.results import Summary
from tests.conftest import environ_of
from tests.e2e.cli import bulkput as in_a_process
from tests.servers.swift import RealSwift

LAST = ("*.html", "index.html")
PAGES = {"about.html", "a/index.html", "index.html"}


class Front:
    """A devserver that refuses the PUT of one object, and notes the names of the others in the order of its answers."""

    def __init__(self) -> None:
        self.refused = ""
        self.seen: list[str] = []
        self.server: DevServer | None = None

    async def __call__(self, request: web.BaseRequest, serve: Handler) -> web.StreamResponse:
        name = request.path.partition("/c/")[2]
        if request.method != "PUT" or not name:
            return await serve(request)
        if name == self.refused:
            return web.Response(status=400, text="no")
        answer = await serve(request)
        self.seen.append(name)
        return answer

    async def upload(self, site: Path, *, stop: Stop | None = None, **options: Any) -> tuple[Summary, list[ev.Event]]:
        assert self.server is not None
        told: list[ev.Event] = []
        given = UploadOptions(**{"last": LAST, "retry": RetryOptions(retries=0), **options})
        environ = environ_of(self.server)
        summary = await library.upload(
            site, "swift://c", options=given, on_event=told.append, environ=environ, stop=stop
        )
        assert summary.adds_up
        return summary, told

    def stored(self) -> dict[str, bytes]:
        assert self.server is not None
        objects = self.server.store.containers["c"].objects
        return {name: b"".join(each.pieces) for name, each in objects.items()}


@asynccontextmanager
async def front() -> AsyncIterator[Front]:
    made = Front()
    async with DevServer(intercept=made) as made.server:
        yield made


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Three pages and what they link to; by their names, an index would be the first."""
    root = tmp_path / "site"
    for name in (*PAGES, "z/app.js", "z/style.css"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"old {name}")
    return root


def renew(site: Path) -> None:
    for file in site.rglob("*.*"):
        file.write_text(f"new {file.relative_to(site)}")


@pytest.mark.parametrize("concurrency", [1, 64])
@pytest.mark.parametrize("gzip", ["never", "always"])
async def test_each_stage_begins_when_all_before_it_is_stored(site: Path, concurrency: int, gzip: Any) -> None:
    """Assets, then pages, then indexes; by the order in which the server has answered."""
    async with front() as there:
        summary, told = await there.upload(site, wire=WireOptions(concurrency=concurrency), gzip=GzipOptions(mode=gzip))
    assert set(there.seen[:2]) == {"z/app.js", "z/style.css"}
    assert there.seen[2] == "about.html"
    assert set(there.seen[3:]) == {"a/index.html", "index.html"}
    assert summary.exit_code == 0 and summary.uploaded == summary.found == 5
    assert summary.requests["PUT"] == 6
    assert sum(isinstance(event, ev.ScanDone) for event in told) == 1


@pytest.mark.parametrize(
    ("refused", "held_back"),
    [
        ("z/style.css", PAGES),
        ("about.html", {"a/index.html", "index.html"}),
        ("a/index.html", set()),
    ],
)
async def test_after_a_failure_later_stages_stay_as_they_were(site: Path, refused: str, held_back: set[str]) -> None:
    """They are counted as held back, the exit code is 1, and the next run sends them."""
    async with front() as there:
        await there.upload(site)
        renew(site)
        there.refused = refused
        summary, told = await there.upload(site)
        reasons = {event.skip.name.decode(): event.skip.reason for event in told if isinstance(event, ev.Skipped)}
        assert reasons == dict.fromkeys(held_back, Reason.HELD_BACK)
        assert summary.exit_code == 1 and summary.failed == 1
        assert summary.found == 5 and summary.skipped == len(held_back)
        assert {name for name, text in there.stored().items() if text.startswith(b"old")} == held_back | {refused}
        there.refused = ""
        summary, _ = await there.upload(site, skip=SkipOptions(mode="identical"))
        assert summary.exit_code == 0 and summary.uploaded == len(held_back) + 1
        assert all(text.startswith(b"new") for text in there.stored().values())


async def test_a_file_that_cannot_be_read_holds_back_the_pages(site: Path) -> None:
    """A failure without any request counts as well."""
    (site / "z" / "gone.js").symlink_to(site / "z" / "app.js")
    (site / "z" / "caf\udce9.js").write_text("no UTF-8")
    async with front() as there:
        summary, _ = await there.upload(site)
    assert summary.exit_code == 1 and summary.failed == 1
    assert not PAGES & set(there.seen)


async def test_a_mirror_removes_what_is_extra_after_the_last_stage(site: Path) -> None:
    """And nothing, if something was held back."""
    async with front() as there:
        await there.upload(site)
        (site / "z" / "style.css").unlink()
        (site / "z" / "style2.css").write_text("new")
        there.refused = "z/style2.css"
        mirror = SkipOptions(mode="identical", delete_extra=True)
        summary, _ = await there.upload(site, skip=mirror)
        assert summary.exit_code == 1 and summary.removed == 0 and "z/style.css" in there.stored()
        (site / "index.html").write_text("links to style2.css")
        there.refused, there.seen = "", []
        summary, told = await there.upload(site, skip=mirror)
        kinds = [type(event) for event in told if isinstance(event, ev.Uploaded | ev.Removed)]
        assert kinds == [ev.Uploaded, ev.Uploaded, ev.Removed]
        assert there.seen == ["z/style2.css", "index.html"]
        assert summary.exit_code == 0 and "z/style.css" not in there.stored()


async def test_pages_of_a_failed_run_are_sent_by_the_next_with_the_same_journal(site: Path, tmp_path: Path) -> None:
    """What was held back is not in the journal, and only a look at the whole source finds it."""
    journal = str(tmp_path / "up.db")
    async with front() as there:
        there.refused = "z/app.js"
        summary, _ = await there.upload(site, journal=journal)
        assert summary.exit_code == 1 and there.seen == ["z/style.css"]
        there.refused = ""
        with pytest.raises(UsageError, match="`last`"):
            await there.upload(site, journal=journal, retry_failed=True)
        summary, _ = await there.upload(site, journal=journal)
        assert summary.exit_code == 0 and summary.uploaded == 4
        assert there.seen[:3] == ["z/style.css", "z/app.js", "about.html"]
        assert {*there.seen} == {*there.stored()}


async def test_a_run_that_is_stopped_reports_the_pages_as_not_sent(site: Path) -> None:
    """Every entry that was found has one outcome."""
    async with front() as there:
        stop = Stop()
        given = UploadOptions(last=LAST, wire=WireOptions(concurrency=1))
        assert there.server is not None

        def told(event: ev.Event) -> None:
            if isinstance(event, ev.Uploaded):
                stop.interrupt()

        summary = await library.upload(
            site, "swift://c", options=given, on_event=told, environ=environ_of(there.server), stop=stop
        )
    assert summary.exit_code == 130 and summary.adds_up
    assert summary.skipped_by_reason == {Reason.STOPPED.value: summary.found - 1}
    assert len(there.seen) == 1 and not PAGES & set(there.seen)


@pytest.mark.swift
def test_a_dry_run_shows_the_order_and_the_command_warns_of_useless_patterns(swift: RealSwift, site: Path) -> None:
    """bulkput upload --dry-run --last '*.html' --last index.html --last '*.php' SITE swift://..."""
    last = ("--last", "*.html", "--last", "index.html", "--last", "*.php")
    shown = in_a_process("upload", "--dry-run", *last, site, "swift://order", environ=swift.environment)
    assert shown.exit_code == 0, shown.err
    names = [line.partition(" -> ")[2].partition(" ")[0] for line in shown.out.splitlines()]
    assert names == ["z/app.js", "z/style.css", "about.html", "a/index.html", "index.html"]
    assert "warning: --last '*.php' matched nothing" in shown.err
    refused = in_a_process("upload", "--last", "", site, "swift://order", environ=swift.environment)
    assert refused.exit_code == 2 and "--last needs a pattern" in refused.err
