"""`upload --expire-extra` and `--keep-for` on a real Swift and a real Ceph RGW; docstrings begin with the command."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import get_args

import pytest

from bulkput.options import SkipMode
from tests.contract.wire import Account
from tests.e2e.cli import Ran, bulkput
from tests.servers.rgw import RealRgw
from tests.servers.swift import RealSwift

pytestmark = pytest.mark.timeout(180)
MODES = [mode for mode in get_args(SkipMode) if mode != "none"]
DAY_S = 86_400
FIELDS = {
    "Content-Type": "text/x-a; charset=utf-8",
    "Content-Encoding": "gzip",
    "Content-Disposition": 'inline; filename="x"',
    "Content-Language": "de",
    "Cache-Control": "max-age=3",
    "Expires": "Thu, 01 Dec 2033 16:00:00 GMT",
    "X-Robots-Tag": "noindex",
    "X-Object-Meta-Color": "röt".encode().decode("latin-1"),
    "X-Object-Meta-Mtime": "1.500000000",
}
OF_AN_ANSWER = {"date", "x-trans-id", "x-openstack-request-id", "last-modified", "x-timestamp"}
"""Fields that every answer has anew, and the times of the last change."""


class World:
    """An account of its own, and a tree that is mirrored below `p/` of a container."""

    def __init__(self, server: RealSwift, tree: Path) -> None:
        self.server = server
        self.account = Account(server)
        self.tree = tree
        tree.mkdir()
        self.file("index.html", "about a.js")
        self.file("a.js", "let a")

    def file(self, name: str, content: str) -> None:
        (self.tree / name).write_text(content)

    def publish(self, *flags: str | Path) -> Ran:
        url = f"swift://{self.account.c}/p"
        return bulkput("upload", *flags, "--summary", "-", self.tree, url, environ=self.server.environment)

    def fields(self, name: str, query: str = "?symlink=get&multipart-manifest=get") -> dict[str, str]:
        """The fields of a HEAD, without those that each answer has anew."""
        head = self.account.ask("HEAD", f"/{self.account.c}/p/{name}{query}")
        assert head.status == 200, (head.status, name)
        return {name.lower(): text for name, text in head.headers.items() if name.lower() not in OF_AN_ANSWER}

    def ends(self, name: str) -> int | None:
        text = self.fields(name).get("x-delete-at")
        return int(text) if text is not None else None

    def put(self, name: str, content: str = "", **fields: str) -> None:
        assert self.account.ask("PUT", f"/{self.account.c}/p/{name}", content, **fields).status == 201

    def now_s(self) -> float:
        date = self.account.ask("HEAD", f"/{self.account.c}")["Date"]
        assert date is not None
        return parsedate_to_datetime(date).timestamp()

    def names(self) -> list[str]:
        return [name.removeprefix("p/") for name in self.account.names(self.account.c)]


def _new_account(server: RealSwift) -> RealSwift:
    return server.add_account(f"e{time.time_ns():x}", "secret") if isinstance(server, RealRgw) else server


@pytest.fixture
def world(swift_or_rgw: RealSwift, tmp_path: Path) -> World:
    return World(_new_account(swift_or_rgw), tmp_path / "tree")


@pytest.fixture
def with_links(swift: RealSwift, tmp_path: Path) -> Iterator[World]:
    """Only Swift has links."""
    yield World(swift, tmp_path / "tree")


@pytest.mark.parametrize("mode", MODES)
def test_an_asset_that_comes_back_does_not_expire_any_more(world: World, mode: str) -> None:
    """bulkput upload --skip MODE --expire-extra 14d: a build with a.js, two without it, and the first one again"""
    mirror = ("--skip", mode, "--expire-extra", "14d")
    assert world.publish(*mirror).exit_code == 0
    before = world.fields("a.js")
    (world.tree / "a.js").unlink()
    without = world.publish(*mirror)
    assert (without.exit_code, without.summary["expiring"], without.summary["removed"]) == (0, 1, 0), without.err
    end = world.ends("a.js")
    assert end is not None and abs(end - world.now_s() - 14 * DAY_S) < 60
    assert world.fields("a.js") == before | {"x-delete-at": str(end)}
    again = world.publish("--skip", mode, "--expire-extra", "30d")
    assert (again.exit_code, again.summary.get("expiring"), again.summary["expiring_already"]) == (0, None, 1)
    assert world.ends("a.js") == end
    world.file("a.js", "let a")
    back = world.publish(*mirror)
    assert (back.exit_code, back.summary["uploaded"], back.summary["skipped"]) == (0, 1, 1), back.err
    assert (world.ends("a.js"), world.ends("index.html")) == (None, None)
    assert world.account.get("p/a.js").body == b"let a"
    last = world.publish(*mirror)
    assert (last.summary["uploaded"], last.summary["skipped"]) == (0, 2)


def test_without_expire_extra_an_object_that_expires_is_still_skipped(world: World) -> None:
    """bulkput upload --skip identical: as before; --expire-extra sends it again"""
    world.put("a.js", "let a", X_Delete_After="100000")
    skipped = world.publish("--skip", "identical")
    assert (skipped.summary["skipped"], world.ends("a.js") is None) == (1, False)
    assert world.publish("--skip", "identical", "--expire-extra", "1d").summary["uploaded"] == 1
    assert world.ends("a.js") is None


@pytest.mark.parametrize("kind", ["plain", "dynamic", "static"])
def test_an_extra_that_expires_keeps_all_its_fields_and_bytes(world: World, kind: str) -> None:
    """bulkput upload --expire-extra 14d: HEADs before and after, without bulkput, differ in X-Delete-At alone"""
    account = world.account
    first, second = account.segment("a/1", "one"), account.segment("a/2", "two")
    match kind:
        case "plain":
            world.put("x", "onetwo", **FIELDS)
        case "dynamic":
            world.put("x", "", **FIELDS, X_Object_Manifest=f"{account.s}/a%2F")
        case _:
            assert account.put("p/x", [first, second], **FIELDS).status == 201
    itself, whole = world.fields("x"), world.fields("x", "")
    done = world.publish("--expire-extra", "14d")
    assert (done.exit_code, done.summary["expiring"]) == (0, 1), done.err
    end = {"x-delete-at": str(world.ends("x"))}
    assert world.fields("x") == itself | end
    assert world.fields("x", "") == whole | end
    assert (account.get("p/x").body, account.names(account.s)) == (b"onetwo", ["a/1", "a/2"])
    assert world.publish("--expire-extra", "1d").summary["expiring_already"] == 1
    gone = world.publish("--delete-extra")
    assert (gone.exit_code, gone.summary["removed"]) == (0, 1), gone.err
    assert "x" not in world.names()


@pytest.mark.swift
def test_an_extra_link_expires_itself_and_its_target_does_not(with_links: World) -> None:
    """bulkput upload --expire-extra 14d: Swift answers 307 to the POST, and does what it says"""
    world, account = with_links, with_links.account
    account.ask("PUT", f"/{account.s}/target", "target")
    world.put("link", X_Symlink_Target=f"{account.s}/target", X_Object_Meta_Color="red")
    before = world.fields("link")
    done = world.publish("--expire-extra", "14d")
    assert (done.exit_code, done.summary["expiring"]) == (0, 1), done.err
    assert world.fields("link") == before | {"x-delete-at": str(world.ends("link"))}
    assert account.ask("HEAD", f"/{account.s}/target")["X-Delete-At"] is None
    assert account.get("p/link").body == b"target"
    world.file("link", "target")
    back = world.publish("--skip", "existing", "--expire-extra", "14d")
    assert (back.summary["uploaded"], world.ends("link")) == (1, None), "although a HEAD of it shows its target"


@pytest.mark.swift
def test_an_extra_that_a_remaining_link_reads_does_not_expire(with_links: World) -> None:
    """bulkput upload --skip existing --expire-extra 14d: it stays and is named, as with --delete-extra"""
    world = with_links
    world.file("l", "target")
    world.put("x", "target")
    world.put("y", "extra")
    world.put("l", X_Symlink_Target=f"{world.account.c}/p/x")
    done = world.publish("--skip", "existing", "--expire-extra", "14d")
    assert (done.exit_code, done.summary["expiring"], done.summary["not_removed"]) == (1, 1, 1)
    assert "p/x is read through p/l" in done.err
    assert (world.ends("x"), world.ends("y") is None) == (None, False)


def test_a_dry_run_shows_what_would_expire_and_sets_nothing(world: World) -> None:
    """bulkput upload --dry-run --expire-extra 14d: a line for each; not for what expires already"""
    world.put("x", "x")
    world.put("y", "y", X_Delete_After="100000")
    ran = bulkput(
        *("upload", "--dry-run", "--expire-extra", "14d", world.tree, f"swift://{world.account.c}/p"),
        environ=world.server.environment,
    )
    assert (ran.exit_code, [line for line in ran.out.splitlines() if "expire" in line]) == (0, ["would expire: p/x"])
    assert "let 1 object expire" in ran.err and "expiring already 1" in ran.err
    assert world.ends("x") is None


def test_an_extra_stays_until_it_is_old_enough(world: World) -> None:
    """bulkput upload --delete-extra --keep-for: 14 days, then one second; exit 0 both times, and it is counted"""
    world.put("x", "x")
    kept = world.publish("--delete-extra", "--keep-for", "14d", "-v")
    assert (kept.exit_code, kept.summary["kept_young"], kept.summary["removed"]) == (0, 1, 0), kept.err
    assert "kept: p/x: stored" in kept.err and "younger than --keep-for" in kept.err
    stored_s = world.now_s()
    while world.now_s() < stored_s + 2:
        time.sleep(0.1)
    gone = world.publish("--skip", "existing", "--delete-extra", "--keep-for", "1")
    assert (gone.exit_code, gone.summary["removed"], "x" in world.names()) == (0, 1, False), gone.err
