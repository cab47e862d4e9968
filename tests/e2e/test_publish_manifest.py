"""`upload --write-manifest` and `verify --manifest`, on a real Swift and a real Ceph RGW.

The judge of a manifest is the container's own listing in JSON, read by the standard library.
"""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import bulkput.sync
from tests.e2e.cli import Bulkput, Ran
from tests.servers.judge import SwiftJudge
from tests.servers.nginx import NginxDav
from tests.servers.swift import RealSwift

pytestmark = pytest.mark.timeout(180)
FIELDS = ("name", "bytes", "hash", "content_type")
NAME = "meta/manifest.ndjson"
ODD_NAMES = (
    "index.html", "with space", "ünïcödé/日本語", "hash#and?query&more=1", "percent%2f", "quote'\"`", "new\nline",
    "back\\slash", "emoji-🚀.css", "\uffff", "line\u2028separator", "empty",
)  # fmt: skip


@dataclass(slots=True)
class World:
    """A container, a tree, and what lies below `p/` in the container."""

    server: RealSwift
    judge: SwiftJudge
    run: Bulkput
    container: str
    tree: Path

    @property
    def url(self) -> str:
        return f"swift://{self.container}/p"

    def publish(self, *flags: str) -> Ran:
        return self.run("upload", "-q", *flags, self.tree, self.url, "--write-manifest", NAME, "--summary", "-")

    def verify(self) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Gives the exit code, the verdicts by name, and the numbers."""
        ran = self.run("verify", "--json", "--manifest", f"{self.url}/{NAME}")
        *findings, finished = ran.rows
        return ran.exit_code, {row["name"]: row["event"] for row in findings}, finished

    @property
    def manifest(self) -> bytes | None:
        return self.judge.content(self.container, f"p/{NAME}")

    @property
    def lines(self) -> list[dict[str, Any]]:
        content = self.manifest
        assert content is not None
        return [json.loads(line) for line in content.split(b"\n")[:-1]]

    @property
    def listed(self) -> list[dict[str, Any]]:
        """The rows of the listing, without the manifest."""
        rows = self.judge.rows(self.container)
        return [{field: row[field] for field in FIELDS} for row in rows if row["name"] != f"p/{NAME}"]


@pytest.fixture
def world(
    swift_or_rgw: RealSwift, bulkput: Bulkput, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[World]:
    for name, value in swift_or_rgw.environment.items():
        monkeypatch.setenv(name, value)
    judge = SwiftJudge(swift_or_rgw.auth_url, swift_or_rgw.user, swift_or_rgw.key)
    tree = tmp_path / "tree"
    for name in ODD_NAMES:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(b"" if name == "empty" else name.encode() * 100)
    yield World(swift_or_rgw, judge, bulkput, f"pub-{uuid.uuid4().hex[:8]}", tree)


def test_the_manifest_equals_the_listing_and_is_put_last(world: World) -> None:
    """bulkput upload --dir-markers --gzip auto --write-manifest; the same with --skip identical; verify --manifest"""
    flags = ("--dir-markers", "--gzip", "auto")
    first = world.publish(*flags)
    assert first.exit_code == 0, first.err
    entries = len(ODD_NAMES) + 1  # a directory's marker
    assert first.summary["uploaded"] == first.summary["found"] == entries + 1
    assert world.lines == world.listed
    assert len(world.lines) == entries
    assert world.judge.head(world.container, f"p/{NAME}")["Content-Type"] == "application/x-ndjson"

    content = world.manifest
    (world.tree / "index.html").write_bytes(b"a new version")
    again = world.publish(*flags, "--skip", "identical")
    assert again.exit_code == 0, again.err
    assert (again.summary["uploaded"], again.summary["skipped"]) == (2, entries - 1)
    assert world.lines == world.listed
    assert world.manifest != content

    code, findings, finished = world.verify()
    assert (code, findings) == (0, {})
    assert (finished["identical"], finished["ignored"]) == (entries, 0)
    assert finished["requests"] == {"GET": 4, "HEAD": 1}, "login, manifest, a page, the empty one; the empty file"


def test_a_temporary_url_is_enough_for_a_manifest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """bulkput upload --skip identical --write-manifest to a URL of bulkput tempurl, with no credentials"""
    world.judge.put(world.container, "")
    world.judge.set_key("a key")
    made = world.run("tempurl", world.url, "--digest", "sha1")
    assert made.exit_code == 0, made.err
    with monkeypatch.context() as without:
        for name in world.server.environment:
            without.delenv(name)
        url, flags = made.out.strip(), ("--skip", "identical", "--write-manifest", NAME)
        for _ in range(2):
            assert world.run("upload", "-q", world.tree, url, *flags).exit_code == 0
            assert world.lines == world.listed
    assert world.verify()[:2] == (0, {})


@pytest.mark.parametrize("mode", ["existing", "unchanged"])
def test_what_is_skipped_is_in_the_manifest_as_it_is_stored(world: World, mode: str) -> None:
    """bulkput upload --skip MODE --write-manifest: an object of another program, too"""
    assert world.run("upload", "-q", world.tree, world.url).exit_code == 0
    name = "index.html"
    world.judge.put(world.container, f"p/{name}", b"x" * 1_000, fields={"Content-Type": "text/other"})
    ran = world.publish("--skip", mode)
    assert (ran.exit_code, ran.summary["uploaded"]) == (0, 1), ran.err
    assert next(line for line in world.lines if line["name"] == f"p/{name}")["content_type"] == "text/other"
    assert world.lines == world.listed
    assert world.verify()[:2] == (0, {})


def test_each_kind_of_change_is_named(world: World) -> None:
    """bulkput verify --manifest: after removals and PUTs by another client"""
    assert world.publish().exit_code == 0
    put, container = world.judge.put, world.container
    kind = {"Content-Type": "text/html"}
    world.judge.delete(container, "p/with space")
    put(container, "p/index.html", b"INDEX.HTML" * 100, fields=kind)
    put(container, "p/ünïcödé/日本語", b"longer than it was")
    put(container, "p/emoji-🚀.css", "emoji-🚀.css".encode() * 100, fields=kind)
    put(container, "p/added", b"more")
    code, findings, finished = world.verify()
    assert (code, findings) == (
        1,
        {
            "p/with space": "missing",
            "p/index.html": "different",
            "p/ünïcödé/日本語": "different",
            "p/emoji-🚀.css": "different",
        },
    )
    assert (finished["identical"], finished["ignored"]) == (len(ODD_NAMES) - 4, 1)
    said = world.run("verify", "--manifest", f"{world.url}/{NAME}")
    assert said.exit_code == 1
    assert "missing p/with space\n" in said.out
    assert "different p/index.html (another MD5)\n" in said.out
    assert "different p/emoji-🚀.css (type text/css in the manifest, text/html in the store)\n" in said.out
    assert "not compared: 0 entries here, 1 object" in said.err


def test_a_large_object_is_listed_with_its_size_and_not_comparable(world: World) -> None:
    """bulkput upload --segment-above 1M, then --skip identical; verify --manifest"""
    size = 3 * 1024 * 1024
    (world.tree / "large").write_bytes(os.urandom(size))
    for flags in ((), ("--skip", "identical")):
        ran = world.publish("--segment-above", "1M", "--segment-size", "1M", *flags)
        assert ran.exit_code == 0, ran.err
        (line,) = (line for line in world.lines if line["name"] == "p/large")
        assert (line["bytes"], line["hash"]) == (size, None)
        code, findings, finished = world.verify()
        assert (code, findings) == (1, {"p/large": "not_comparable"})
        assert finished["identical"] == len(ODD_NAMES)
    world.judge.put(world.container, "p/large", b"small")
    assert world.verify()[1] == {"p/large": "different"}


def test_a_publish_that_fails_leaves_the_manifest_before_it(world: World) -> None:
    """bulkput upload --delete-extra --write-manifest: exit 1"""
    assert world.publish().exit_code == 0
    before = world.manifest
    (world.tree / os.fsdecode(b"not utf-8 \xff")).write_bytes(b"")
    (world.tree / "new").write_bytes(b"new")
    ran = world.publish("--delete-extra")
    assert (ran.exit_code, ran.summary["failed"]) == (1, 1)
    assert world.manifest == before
    assert world.judge.content(world.container, "p/new") == b"new"


def test_a_publish_that_is_killed_leaves_the_manifest_before_it(world: World) -> None:
    """kill -9 after the third object; the same command again writes it"""
    assert world.publish().exit_code == 0
    before = world.manifest
    for path in world.tree.rglob("*"):
        if path.is_file():
            path.write_bytes(b"second version of " + path.name.encode())
    command = [sys.executable, "-m", "bulkput", "upload", "--json", "--rate", "3/s", str(world.tree), world.url]
    with subprocess.Popen([*command, "--write-manifest", NAME], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = 0
        for line in process.stdout:
            seen += '"uploaded"' in line
            if seen == 3:
                process.send_signal(signal.SIGKILL)
                break
    assert seen == 3
    assert world.manifest == before
    code, findings, _ = world.verify()
    assert (code, set(findings.values())) == (1, {"different"})
    assert world.publish("--skip", "identical").exit_code == 0
    assert world.verify()[:2] == (0, {})


def test_a_mirror_keeps_its_manifest_and_lists_no_extra(world: World) -> None:
    """bulkput upload --delete-extra --write-manifest, twice; a dry run names no manifest as extra"""
    assert world.publish().exit_code == 0
    world.judge.put(world.container, "p/old", b"old")
    (world.tree / "with space").unlink()
    flags = ("--dry-run", "--progress", "none", "--skip", "identical", "--delete-extra")
    dry = world.run("upload", *flags, world.tree, world.url, "--write-manifest", NAME)
    assert [line for line in dry.out.splitlines() if line.startswith("would remove")] == [
        "would remove: p/old",
        "would remove: p/with space",
    ]
    assert f"would upload: the manifest -> p/{NAME} (of unknown length)\n" in dry.out
    for removed in (2, 0):
        ran = world.publish("--skip", "identical", "--delete-extra")
        assert (ran.exit_code, ran.summary.get("removed", 0)) == (0, removed), ran.err
        assert world.lines == world.listed
    assert world.verify()[:2] == (0, {})


def test_the_function_gives_what_the_command_prints(world: World) -> None:
    """bulkput.sync.verify_manifest"""
    assert world.publish().exit_code == 0
    world.judge.delete(world.container, "p/empty")
    told: list[bulkput.events.Event] = []
    found = bulkput.sync.verify_manifest(f"{world.url}/{NAME}", on_event=told.append)
    assert (found.missing, found.identical, found.exit_code) == (1, len(ODD_NAMES) - 1, 1)
    (finding,) = (event for event in told if isinstance(event, bulkput.Finding))
    assert (finding.name, finding.verdict, finding.size) == ("p/empty", bulkput.Verdict.MISSING, 0)


def test_what_is_no_manifest_is_refused_with_its_line(world: World) -> None:
    """bulkput verify --manifest: exit 2"""
    world.judge.put(world.container, "", b"")
    good = b'{"name":"a","bytes":1,"hash":null,"content_type":null}\n'
    for name, content, why in (
        ("bad", good + b"{}\n", "line 2: it has no field name"),
        ("twice", good + good, "line 2: its name does not come after the name before it"),
        ("empty", b"", "it is empty"),
    ):
        world.judge.put(world.container, name, content)
        ran = world.run("verify", "--manifest", f"swift://{world.container}/{name}")
        assert (ran.exit_code, ran.out) == (2, ""), ran.err
        assert f"swift://{world.container}/{name} is no manifest: {why}" in ran.err
    ran = world.run("verify", "--manifest", f"swift://{world.container}/none")
    assert ran.exit_code == 2 and f"there is no manifest swift://{world.container}/none: " in ran.err


@pytest.mark.nginx
def test_plain_http_gets_a_manifest_that_cannot_be_verified(bulkput: Bulkput, nginx: NginxDav, tmp_path: Path) -> None:
    """bulkput upload --write-manifest to nginx; verify --manifest: exit 2"""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a.css").write_bytes(b"a{}")
    url = f"{nginx.url}/manifest-{uuid.uuid4().hex[:8]}/"
    ran = bulkput("upload", "-q", tmp_path / "tree", url, "--write-manifest", "m.ndjson")
    assert ran.exit_code == 0, ran.err
    written = nginx.root / url.removeprefix(f"{nginx.url}/") / "m.ndjson"
    assert json.loads(written.read_bytes()) == {"name": "a.css", "bytes": 3, "hash": None, "content_type": "text/css"}
    ran = bulkput("verify", "--manifest", f"{url}m.ndjson")
    assert ran.exit_code == 2 and "plain HTTP has no listing" in ran.err


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--gzip", "auto"), "--gzip and --manifest exclude each other"),
        (("--journal", "up.db"), "--journal and --manifest exclude each other"),
        (("--exclude", "*.tmp"), "--exclude and --manifest exclude each other"),
        ((".", "swift://c/p"), "--manifest takes the place of SOURCE and DEST"),
    ],
)
def test_verify_refuses_what_says_nothing_beside_a_manifest(bulkput: Bulkput, flags: tuple[str, ...], why: str) -> None:
    """Exit 2, before any request."""
    ran = bulkput("verify", "--manifest", "swift://c/m", *flags)
    assert ran.exit_code == 2 and why in ran.err
