"""A source of another package (`bulkput.sources`): its objects are uploaded like those of a store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from bulkput.engine.upload.upload import upload
from bulkput.errors import UsageError
from bulkput.options import LargeOptions, RetryOptions, SkipOptions, UploadOptions
from bulkput.results import Summary
from tests.e2e.s3_world import noise
from tests.faults.target import new_place
from tests.servers.judge import SwiftJudge
from tests.servers.swift import RealSwift

PACKAGE = """
import hashlib

from bulkput.errors import Conflict, NotFound, Unavailable
from bulkput.model import ObjectHeaders, RemoteObject
from bulkput.payload.reading import Fetched

KEPT = {}
FAILS = []


class Kept:
    def __init__(self, context):
        self.root = context.root

    async def place(self):
        return "kept here"

    def row(self, key):
        content = KEPT[key]
        return RemoteObject(key, len(content), hashlib.md5(content).hexdigest(), "text/x-kept", "2026-01-02T03:04:05.6")

    async def list(self, prefix):
        for key in sorted(KEPT, key=str.encode):
            if key.startswith(prefix):
                yield self.row(key)

    async def fetch(self, key, most):
        if FAILS:
            raise FAILS.pop()
        if key not in KEPT:
            return None
        row, content = self.row(key), KEPT[key]
        data = content if len(content) <= most else None
        return Fetched(row, ObjectHeaders(content_type="text/x-kept", meta=(("Color", "red"),)), f'"{row.hash}"', data)

    async def read(self, key, *, version=None, span=None):
        if key not in KEPT:
            raise NotFound("get", key, "gone")
        if version != f'"{self.row(key).hash}"':
            raise Conflict("get", key, "overwritten")
        content = KEPT[key]
        yield content if span is None else content[span.start : span.start + span.size]

    async def layout(self, row):
        return None

    async def aclose(self):
        pass


def open_source(context):
    return Kept(context)
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """As pip installs one."""
    (tmp_path / "kept_source.py").write_text(PACKAGE)
    metadata = tmp_path / "kept_source-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: kept-source\nVersion: 1.0\n")
    points = "[bulkput.sources]\nkept = kept_source:open_source\nlost = kept_source:not_there\n"
    (metadata / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    import kept_source  # noqa: PLC0415 - it is made just now

    yield kept_source
    del sys.modules["kept_source"]


async def run(url: str, place: str, swift: RealSwift, **options: Any) -> Summary:
    given = UploadOptions(retry=RetryOptions(base_s=0.01), **options)
    return await upload([url], f"swift://{place}/y/", options=given, environ=swift.environment)


async def test_its_objects_are_uploaded_with_their_headers(package: Any, swift: RealSwift) -> None:
    """Small ones and large ones, in parts; an error that is worth it is retried. A second run skips what is there."""
    package.KEPT.update({"x/a": b"1", "x/large": noise(2_500_000), "other": b"2"})
    package.FAILS.append(package.Unavailable("get", "x/a", "busy"))
    place, large = new_place(), LargeOptions(above=2_000_000, part_size=1_000_000)
    assert (await run("kept://root/x/", place, swift, large=large)).uploaded == 2
    judge = SwiftJudge(swift.auth_url, swift.user, swift.key)
    seen = judge.get(place, "y/a")
    assert seen is not None and seen.content == b"1"
    assert (seen.headers["Content-Type"], seen.headers["X-Object-Meta-Color"]) == ("text/x-kept", "red")
    assert judge.content(place, "y/large") == noise(2_500_000)
    again = await run("kept://root/x/", place, swift, large=large, skip=SkipOptions(mode="identical"))
    assert (again.uploaded, again.failed) == (0, 0)


async def test_one_that_cannot_be_loaded_is_a_usage_error(package: Any, swift: RealSwift) -> None:
    assert package
    with pytest.raises(UsageError, match="cannot be loaded"):
        await run("lost://root/x/", new_place(), swift)
    with pytest.raises(UsageError, match="no store for nobody://"):
        await run("nobody://root/x/", new_place(), swift)
