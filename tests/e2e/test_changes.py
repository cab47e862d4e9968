"""`bulkput cp`, `mv` and `rm` on a real Swift. Each test is headed by the command that it covers."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from bulkput.engine.run import open_store
from bulkput.model import ObjectHeaders
from bulkput.payload.held import Held
from tests.e2e.cli import bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.nginx import NginxDav
from tests.servers.swift import RealSwift

pytestmark = [pytest.mark.swift, pytest.mark.timeout(180)]
NAMES = ("a/one", "a/b/two", "a/ü #?%.txt", "ab", "a")
HEADERS = ObjectHeaders(content_type="text/x-mine", mtime_ns=1_500_000_000_250_000_000, meta=(("Color", "red"),))


@pytest.fixture
def judge(swift: RealSwift) -> SwiftJudge:
    return SwiftJudge(swift.auth_url, swift.user, swift.key)


@pytest.fixture
def container(swift: RealSwift) -> str:
    """Holds NAMES, each with its name as its content."""
    name = f"c{uuid.uuid4().hex[:8]}"

    async def fill() -> None:
        async with open_store(f"swift://{name}", environ=swift.environment) as (store, _):
            await store.prepare()
            for key in NAMES:
                await store.put(key, Held.of(key.encode()), HEADERS)

    asyncio.run(fill())
    return name


def contents(judge: SwiftJudge, container: str) -> dict[str, str]:
    found = {name: judge.get(container, name) for name in judge.names(container)}
    return {name: seen.content.decode() for name, seen in found.items() if seen is not None}


def described(judge: SwiftJudge, container: str, name: str) -> dict[str, str]:
    seen = judge.get(container, name)
    assert seen is not None
    kept = ("content-type", "etag", "x-object-meta-color", "x-object-meta-mtime", "x-object-meta-new", "cache-control")
    return {field.lower(): value for field, value in seen.headers.items() if field.lower() in kept}


def test_a_directory_is_copied_within_the_store(swift: RealSwift, container: str, judge: SwiftJudge) -> None:
    """bulkput cp -r swift://c/a swift://new/x: the container is made, one COPY each, and what lies beside it stays"""
    ran = bulkput(
        "cp", "-r", "--json", f"swift://{container}/a", f"swift://{container}-new/x", environ=swift.environment
    )
    assert ran.exit_code == 0, ran.err
    *changes, finished = ran.rows
    assert {(row["name"], row["to"]) for row in changes} == {(n, "x" + n[1:]) for n in NAMES if n.startswith("a/")}
    assert (finished["done"], finished["requests"]["PUT"], finished["requests"]["COPY"]) == (3, 1, 3)
    assert contents(judge, f"{container}-new") == {"x" + n[1:]: n for n in NAMES if n.startswith("a/")}
    before, after = described(judge, container, "a/one"), described(judge, f"{container}-new", "x/one")
    assert before == after and before["x-object-meta-color"] == "red"
    assert len(contents(judge, container)) == len(NAMES)


def test_what_is_given_replaces_what_the_object_has(swift: RealSwift, container: str, judge: SwiftJudge) -> None:
    """bulkput cp --meta --content-type --header: the rest comes along"""
    given = (
        "--meta",
        "Color:blue",
        "--meta",
        "New:1",
        "--content-type",
        "text/y",
        "--header",
        "Cache-Control:no-store",
    )
    ran = bulkput("cp", *given, f"swift://{container}/a/one", f"swift://{container}/z/", environ=swift.environment)
    assert ran.exit_code == 0, ran.err
    after = described(judge, container, "z/one")
    assert (after["x-object-meta-color"], after["x-object-meta-new"], after["content-type"]) == ("blue", "1", "text/y")
    assert after["x-object-meta-mtime"] == "1500000000.250000"


def test_a_move_renames(swift: RealSwift, container: str, judge: SwiftJudge) -> None:
    """bulkput mv -r swift://c/a swift://c/ab: removed by one bulk-delete, once all copies are proven"""
    ran = bulkput("mv", "-r", "--json", f"swift://{container}/a", f"swift://{container}/ab", environ=swift.environment)
    assert ran.exit_code == 0, ran.err
    *changes, finished = ran.rows
    assert {row["event"] for row in changes} == {"moved"} and all(row["to"].startswith("ab/") for row in changes)
    assert (finished["requests"]["POST"], "DELETE" in finished["requests"]) == (1, False)
    assert contents(judge, container) == {"ab" + n[1:] if n.startswith("a/") else n: n for n in NAMES}


def test_a_manifest_is_copied_as_a_manifest(swift: RealSwift, container: str, judge: SwiftJudge) -> None:
    """bulkput mv of a static large object: its segments stay where they are"""
    parts = [{"path": f"/{container}/a/one"}, {"path": f"/{container}/a/b/two"}]
    where = f"{judge.storage_url}/{container}/{quote('big one')}?multipart-manifest=put"
    put = Request(where, json.dumps(parts).encode(), {"X-Auth-Token": judge._token}, method="PUT")
    with urlopen(put) as answered:
        assert answered.status == 201
    moved = bulkput("mv", f"swift://{container}/big one", f"swift://{container}/moved", environ=swift.environment)
    assert moved.exit_code == 0, moved.err
    assert contents(judge, container) == {n: n for n in NAMES} | {"moved": "a/onea/b/two"}
    (row,) = [row for row in judge.rows(container) if row["name"] == "moved"]
    assert "slo_etag" in row


def test_segments_are_not_moved_away_from_their_manifest(swift: RealSwift, container: str, judge: SwiftJudge) -> None:
    """bulkput mv -r of a directory that holds both: refused before anything is moved, static and dynamic ones"""
    parts = [{"path": f"/{container}/a/one"}]
    where = f"{judge.storage_url}/{container}/a/big?multipart-manifest=put"
    with urlopen(Request(where, json.dumps(parts).encode(), {"X-Auth-Token": judge._token}, method="PUT")) as answered:
        assert answered.status == 201
    move = ("mv", "-r", f"swift://{container}/a", f"swift://{container}/z")
    refused = bulkput(*move, environ=swift.environment)
    assert (refused.exit_code, "Nothing was moved" in refused.err) == (2, True)
    judge.delete(container, "a/big")
    fields = {"X-Auth-Token": judge._token, "X-Object-Manifest": f"{container}/a/b"}
    dynamic = Request(f"{judge.storage_url}/{container}/a/dynamic", b"", fields, method="PUT")
    with urlopen(dynamic) as answered:
        assert answered.status == 201
    refused = bulkput(*move, environ=swift.environment)
    assert (refused.exit_code, "nothing was moved" in refused.err) == (2, True)
    assert not any(name.startswith("z") for name in judge.names(container))


def test_links_are_copied_and_removed_as_links(swift: RealSwift, container: str, judge: SwiftJudge) -> None:
    """bulkput mv of a link, also of one that leads nowhere: the link comes along, not what it leads to"""
    account = judge.storage_url
    for name, target in (("link", "a/one"), ("dangling", "nothing")):
        fields = {"X-Auth-Token": judge._token, "X-Symlink-Target": f"{container}/{target}"}
        with urlopen(Request(f"{account}/{container}/l/{name}", b"", fields, method="PUT")) as answered:
            assert answered.status == 201
    ran = bulkput("mv", "-r", f"swift://{container}/l", f"swift://{container}/m", environ=swift.environment)
    assert ran.exit_code == 0, ran.err
    rows = judge.rows(container)
    links = {row["name"]: row.get("symlink_path", "") for row in rows if row["name"].startswith(("l/", "m/"))}
    assert {name: path.rpartition(container)[2] for name, path in links.items()} == {
        "m/link": "/a/one",
        "m/dangling": "/nothing",
    }
    assert bulkput("rm", f"swift://{container}/m/dangling", environ=swift.environment).exit_code == 0
    assert "m/dangling" not in judge.names(container)


def test_a_dry_run_changes_nothing(swift: RealSwift, container: str, judge: SwiftJudge) -> None:
    """bulkput mv / rm --dry-run: a line for each object on stdout"""
    ran = bulkput(
        "mv", "-r", "--dry-run", f"swift://{container}/a", f"swift://{container}-no", environ=swift.environment
    )
    assert (ran.exit_code, sorted(ran.out.splitlines())[1]) == (0, "would move: a/one -> one")
    ran = bulkput("rm", "-r", "--dry-run", f"swift://{container}", environ=swift.environment)
    assert (ran.exit_code, len(ran.out.splitlines())) == (0, len(NAMES))
    assert contents(judge, container) == {n: n for n in NAMES} and judge.names(f"{container}-no") == []


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("cp", "swift://{}/no", "swift://{}/x"), 1, "nothing of that name"),
        (("cp", "-r", "swift://{}/no", "swift://{}/x"), 1, "nothing of that name"),
        (("mv", "-r", "swift://{}/a", "swift://{}/a/b"), 2, "within the source"),
        (("cp", "swift://{}/a/one", "swift://{}/a/"), 2, "are the same"),
        (("cp", "swift://{}", "swift://{}/x"), 2, "-r"),
        (("rm", "swift://{}/a/"), 2, "-r"),
        (("rm", "-r", "swift://{}/a"), 2, "--yes"),
        (("rm", "swift://{}/no"), 1, "nothing of that name"),
        (("rm", "-r", "--yes", "swift://{}-no"), 1, "404"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    swift: RealSwift, container: str, judge: SwiftJudge, arguments: tuple[str, ...], code: int, says: str
) -> None:
    """And nothing has changed."""
    ran = bulkput(*(each.format(container) for each in arguments), environ=swift.environment)
    assert (ran.exit_code, ran.err.count("\n")) == (code, 1), ran.err
    assert says in ran.err
    assert judge.names(container) == sorted(NAMES, key=str.encode)


def test_a_directory_is_removed_and_the_object_of_its_name(swift: RealSwift, container: str, judge: SwiftJudge) -> None:
    """bulkput rm -r --yes swift://c/a, then rm swift://c/ab"""
    ran = bulkput("rm", "-r", "--yes", "-v", f"swift://{container}/a", environ=swift.environment)
    assert ran.exit_code == 0, ran.err
    assert sorted(ran.out.splitlines()) == sorted(f"removed: {n}" for n in NAMES if n != "ab")
    assert judge.names(container) == ["ab"]
    assert bulkput("rm", f"swift://{container}/ab", environ=swift.environment).exit_code == 0
    assert judge.names(container) == []


def test_between_two_kinds_of_stores_the_bytes_pass_through_here(
    swift: RealSwift, container: str, judge: SwiftJudge, nginx: NginxDav
) -> None:
    """bulkput cp swift://c/x http://..., and mv: said aloud; what would be lost on the way is not moved"""
    url = f"{nginx.url}/{container}/"
    ran = bulkput("cp", f"swift://{container}/a/one", url, environ=swift.environment)
    assert (ran.exit_code, "pass through this machine" in ran.err) == (0, True), ran.err
    with urlopen(url + "one") as answered:
        assert answered.read() == b"a/one"
    refused = bulkput("mv", f"swift://{container}/a/one", url, environ=swift.environment)
    assert (refused.exit_code, "it has metadata, which the destination does not keep" in refused.err) == (1, True)
    judge.put(container, "bare", b"bare")
    assert bulkput("mv", f"swift://{container}/bare", url, environ=swift.environment).exit_code == 0
    back = bulkput("mv", url + "bare", f"swift://{container}/back", environ=swift.environment)
    assert back.exit_code == 0, back.err
    names = judge.names(container)
    assert "a/one" in names and "bare" not in names and contents(judge, container)["back"] == "bare"


KILLS = 10


@pytest.mark.scale
def test_a_move_that_is_killed_again_and_again_ends_with_each_object_once(
    swift: RealSwift, container: str, judge: SwiftJudge, tmp_path: Path
) -> None:
    """bulkput mv -r, kill -9 after so many objects, ten times, then the same command to its end"""
    for n in range(120):
        (tmp_path / f"f{n:03d}").write_text(f"content {n}")
    assert bulkput("upload", "-q", tmp_path, f"swift://{container}/many", environ=swift.environment).exit_code == 0
    move = ("mv", "-r", f"swift://{container}/many", f"swift://{container}/moved")
    for kill in range(KILLS):
        command = [sys.executable, "-m", "bulkput", *move, "--concurrency", "4"]
        running = subprocess.Popen(command, env={**os.environ, **swift.environment}, stderr=subprocess.DEVNULL)
        while running.poll() is None and len(judge.names(container)) < len(NAMES) + 120 + 10 * (kill + 1):
            pass
        running.send_signal(signal.SIGKILL)
        assert running.wait() in (-signal.SIGKILL, 0)
    ran = bulkput(*move, environ=swift.environment)
    assert ran.exit_code in (0, 1), ran.err
    assert contents(judge, container) == {n: n for n in NAMES} | {f"moved/f{n:03d}": f"content {n}" for n in range(120)}
