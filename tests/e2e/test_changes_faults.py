"""`bulkput cp`, `mv` and `rm` on a real Swift behind a relay that observes or causes failures."""

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.request import Request, urlopen

import pytest

from tests.e2e.changes_relay import Asked, Meddle, PassOn, Relay, Said, relay
from tests.e2e.cli import Bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.nginx import NginxDav
from tests.servers.swift import RealSwift

pytestmark = [pytest.mark.swift, pytest.mark.timeout(120)]
COUNT = 6
NAMES = [f"a/{n}" for n in range(COUNT)]
KEPT = {"X-Object-Meta-Color": "red", "Content-Disposition": "inline", "X-Delete-At": "4000000000"}


@pytest.fixture
def judge(swift: RealSwift) -> SwiftJudge:
    return SwiftJudge(swift.auth_url, swift.user, swift.key)


@pytest.fixture
def container(judge: SwiftJudge) -> str:
    """A container with an object for each of NAMES; its content is its name, and it has the fields KEPT."""
    name = f"f{uuid.uuid4().hex[:8]}"
    make(judge, name)
    for key in NAMES:
        make(judge, f"{name}/{key}", key.encode(), KEPT)
    return name


@pytest.fixture
def through(swift: RealSwift, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Meddle], Relay]]:
    """Sends all later requests through a relay."""
    with ExitStack() as stack:

        def begin(meddle: Meddle) -> Relay:
            made = stack.enter_context(relay(swift.auth_url, meddle))
            for name, value in {**swift.environment, "ST_AUTH": made.auth_url}.items():
                monkeypatch.setenv(name, value)
            return made

        yield begin


def make(judge: SwiftJudge, path: str, content: bytes = b"", fields: dict[str, str] | None = None) -> None:
    url, headers = f"{judge.storage_url}/{path}", {"X-Auth-Token": judge._token, **(fields or {})}
    with urlopen(Request(url, content, headers, method="PUT")) as answered:
        assert answered.status in (201, 202)


def fields_of(judge: SwiftJudge, container: str, name: str) -> tuple[str, dict[str, str]]:
    """Gives the content, and the values of Content-Type and KEPT."""
    seen = judge.get(container, name)
    assert seen is not None
    return seen.content.decode(), {field: seen.headers[field] for field in (*KEPT, "Content-Type")}


def is_bulk(asked: Asked) -> bool:
    return asked.method == "POST" and "bulk-delete" in asked.path


def test_a_token_that_expires_during_a_bulk_delete_is_renewed(
    bulkput: Bulkput, through: Callable[[Meddle], Relay], container: str, judge: SwiftJudge
) -> None:
    """bulkput mv -r: the answer is 200 with a 401 in its body; no object is deleted singly"""
    lock, refused = threading.Lock(), []

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        with lock:
            kind = "bulk" if is_bulk(asked) else asked.method
            is_first = kind in ("bulk", "COPY") and kind not in refused
            refused.append(kind)
        if is_first and kind == "COPY":
            return Said(401)
        if is_first:
            asked.headers["x-auth-token"] = "AUTH_tk" + "0" * 32
        return pass_on(asked)

    seen = through(meddle)
    ran = bulkput("mv", "-r", "--json", f"swift://{container}/a", f"swift://{container}/b")
    assert ran.exit_code == 0, ran.err
    assert judge.names(container) == [name.replace("a/", "b/") for name in NAMES]
    assert (seen.count("COPY"), seen.count("POST"), seen.count("DELETE")) == (COUNT + 1, 2, 0)
    assert sum(asked.path.startswith("/auth") for asked in seen.asked) == 2 + 2, "once for each store and each 401"


@pytest.mark.parametrize("knows_copy_from", [True, False])
def test_a_store_without_copy_gets_x_copy_from_or_a_download_and_upload(
    bulkput: Bulkput, through: Callable[[Meddle], Relay], container: str, judge: SwiftJudge, *, knows_copy_from: bool
) -> None:
    """bulkput cp -r: metadata is copied in both ways; the probe object is deleted"""

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        if asked.method == "COPY":
            return Said(405)
        if not knows_copy_from:
            asked.headers.pop("x-copy-from", None)
        return pass_on(asked)

    seen = through(meddle)
    ran = bulkput("cp", "-r", "--meta", "New: 1", f"swift://{container}/a", f"swift://{container}-to/b")
    assert ran.exit_code == 0, ran.err
    assert judge.names(f"{container}-to") == [name.replace("a/", "b/") for name in NAMES]
    for name in NAMES:
        assert fields_of(judge, f"{container}-to", name.replace("a/", "b/")) == fields_of(judge, container, name)
    assert ("pass through this machine" in ran.err) is not knows_copy_from
    sent = sum(len(asked.body) for asked in seen.asked if asked.method == "PUT")
    assert sent == (0 if knows_copy_from else sum(map(len, NAMES)))


@pytest.mark.scale
def test_x_copy_from_copies_manifests_and_symlinks_as_such(
    bulkput: Bulkput, through: Callable[[Meddle], Relay], container: str, judge: SwiftJudge
) -> None:
    """bulkput cp -r from a store that refuses COPY"""
    parts = json.dumps([{"path": f"/{container}/a/{n}"} for n in range(2)]).encode()
    make(judge, f"{container}/l/large?multipart-manifest=put", parts)
    make(judge, f"{container}/l/link", b"", {"X-Symlink-Target": f"{container}/a/1"})
    through(lambda asked, pass_on: Said(405) if asked.method == "COPY" else pass_on(asked))
    ran = bulkput("cp", "-r", f"swift://{container}/l", f"swift://{container}/m")
    assert ran.exit_code == 0, ran.err
    rows = {row["name"]: row for row in judge.rows(container)}
    assert "slo_etag" in rows["m/large"] and rows["m/link"]["symlink_path"] == rows["l/link"]["symlink_path"]


def test_a_dry_run_of_cp_mv_or_rm_sends_only_get_and_head(
    bulkput: Bulkput, through: Callable[[Meddle], Relay], container: str, judge: SwiftJudge
) -> None:
    """bulkput cp, mv and rm --dry-run"""
    make(judge, f"{container}/a/empty")
    seen = through(lambda asked, pass_on: pass_on(asked))
    for verb in ("cp", "mv"):
        assert bulkput(verb, "-r", "--dry-run", f"swift://{container}", f"swift://{container}-no").exit_code == 0
    assert bulkput("rm", "-r", "--dry-run", f"swift://{container}").exit_code == 0
    assert {asked.method for asked in seen.asked} == {"GET", "HEAD"}


def test_an_interrupted_mv_reports_copies_whose_sources_remain(
    bulkput: Bulkput, through: Callable[[Meddle], Relay], container: str, judge: SwiftJudge
) -> None:
    """bulkput mv -r, SIGINT at the fourth copy: exit code 130, every source remains; a second run completes the move"""
    copies = iter(range(1, 100))

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        if asked.method == "COPY" and next(copies) == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return pass_on(asked)

    seen = through(meddle)
    move = ("mv", "-r", "--concurrency", "2", f"swift://{container}/a", f"swift://{container}/b")
    ran = bulkput(*move)
    copied = [name for name in judge.names(container) if name.startswith("b/")]
    assert (ran.exit_code, seen.count("POST"), seen.count("DELETE")) == (130, 0, 0)
    assert 4 <= len(copied) <= COUNT and f"0 moved, {len(copied)} copied and not removed" in ran.err
    assert [name for name in judge.names(container) if name.startswith("a/")] == NAMES
    assert bulkput(*move).exit_code == 0
    assert judge.names(container) == [name.replace("a/", "b/") for name in NAMES]


def test_a_listing_that_fails_midway_stops_mv(
    bulkput: Bulkput, through: Callable[[Meddle], Relay], container: str, judge: SwiftJudge
) -> None:
    """bulkput mv -r: exit code 3; only objects that are at their destination are removed"""
    pages = iter(range(1, 100))

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        if "format=json" in asked.path:
            asked.path += "&limit=2"
            if next(pages) == 6:  # the check for large objects takes four, the last one empty
                return Said(503)
        return pass_on(asked)

    through(meddle)
    ran = bulkput("mv", "-r", "--retries", "0", f"swift://{container}/a", f"swift://{container}/b")
    assert (ran.exit_code, "503" in ran.err) == (3, True), ran.err
    there = judge.names(container)
    assert all(name in there or name.replace("a/", "b/") in there for name in NAMES)
    assert len([name for name in there if name.startswith("b/")]) == 2


def test_an_object_that_a_bulk_delete_refuses_is_removed_singly(
    bulkput: Bulkput, through: Callable[[Meddle], Relay], container: str, judge: SwiftJudge
) -> None:
    """bulkput rm -r of three batches: the answer to the first names one failed object"""
    bulks = iter(range(1, 100))

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        said = pass_on(asked)
        if asked.path == "/info":
            said.body = re.sub(rb'"max_deletes_per_request": \d+', b'"max_deletes_per_request": 2', said.body)
        if is_bulk(asked) and next(bulks) == 1:
            told = json.loads(said.body)
            errors = [[asked.body.splitlines()[0].decode(), "503 Service Unavailable"]]
            said.body = json.dumps(told | {"Errors": errors, "Number Deleted": 1}).encode()
        return said

    seen = through(meddle)
    ran = bulkput("rm", "-r", "--yes", "--concurrency", "1", f"swift://{container}")
    assert (ran.exit_code, judge.names(container)) == (0, []), ran.err
    assert (seen.count("POST"), seen.count("DELETE")) == (3, 1)


def test_a_container_that_vanishes_before_its_first_copy_is_created_again(
    bulkput: Bulkput, through: Callable[[Meddle], Relay], container: str, judge: SwiftJudge
) -> None:
    """bulkput cp -r while another client deletes the new container: it is created once more, for all copies"""
    lock, copies = threading.Lock(), iter(range(1, 100))

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        if asked.method == "COPY":
            with lock:
                if next(copies) == 1:
                    judge.delete(f"{container}-to")
        return pass_on(asked)

    seen = through(meddle)
    ran = bulkput("cp", "-r", f"swift://{container}/a", f"swift://{container}-to")
    assert ran.exit_code == 0, ran.err
    assert len(judge.names(f"{container}-to")) == COUNT
    assert seen.count("PUT") == 2


def test_mv_keeps_a_source_that_was_overwritten_after_its_copy(
    bulkput: Bulkput, through: Callable[[Meddle], Relay], judge: SwiftJudge, container: str
) -> None:
    """bulkput mv -r: a HEAD before the removal finds it; mv names that source and moves all others"""

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        said = pass_on(asked)
        if asked.method == "COPY" and asked.path.partition("?")[0].endswith("/a/3"):
            make(judge, f"{container}/a/3", b"newer")
        return said

    through(meddle)
    ran = bulkput("mv", "-r", f"swift://{container}/a", f"swift://{container}-to/a")
    assert (ran.exit_code, judge.names(container)) == (1, ["a/3"]), ran.err
    assert "a/3: it was overwritten after it was listed; it is copied, and not removed" in ran.err
    seen = judge.get(container, "a/3")
    assert seen is not None and seen.content == b"newer"


@pytest.mark.parametrize(
    ("other", "code", "says"),
    [
        ("http://127.0.0.1:{}/%78", 2, "are the same"),
        ("HTTP://127.0.0.1:{}/x", 2, "are the same"),
        ("http://localhost:{}/x", 1, "may be the object itself"),
    ],
)
def test_mv_refuses_to_move_an_object_onto_another_spelling_of_its_url(
    bulkput: Bulkput, nginx: NginxDav, other: str, code: int, says: str
) -> None:
    """bulkput mv http://... http://..., two spellings of one object: the object stays"""
    (nginx.root / "x").write_text("x")
    ran = bulkput("mv", f"{nginx.url}/x", other.format(nginx.url.rpartition(":")[2]))
    assert (ran.exit_code, says in ran.err) == (code, True), ran.err
    assert (nginx.root / "x").read_text() == "x"


KILLS = 10
MANY = {f"a/{n:03}": f"content {n}" for n in range(150)}


@pytest.mark.scale
@pytest.mark.timeout(1_200)
def test_a_repeatedly_killed_mv_ends_with_each_object_once(
    bulkput: Bulkput, through: Callable[[Meddle], Relay], judge: SwiftJudge
) -> None:
    """bulkput mv -r, SIGKILL at ten random requests, half of them bulk-deletes; then one complete run"""
    container, chance, lock = f"k{uuid.uuid4().hex[:8]}", random.Random(7), threading.Lock()
    make(judge, container)
    for name, content in MANY.items():
        make(judge, f"{container}/{name}", content.encode(), KEPT)
    running: list[subprocess.Popen[bytes]] = []
    left = 0
    killed_at: list[str] = []

    def meddle(asked: Asked, pass_on: PassOn) -> Said:
        nonlocal left
        with lock:
            left -= 1
            is_last = left <= 0 and len(killed_at) < len(running) and (is_bulk(asked) or len(running) % 2 == 0)
            if is_last:
                killed_at.append("bulk-delete" if is_bulk(asked) else asked.method)
        said = pass_on(asked) if not is_last or chance.random() < 0.5 else Said(500)
        if is_last:
            running[-1].kill()
        if asked.path == "/info":
            said.body = re.sub(rb'"max_deletes_per_request": \d+', b'"max_deletes_per_request": 5', said.body)
        return said

    through(meddle)
    move = ("mv", "-r", "--concurrency", "4", f"swift://{container}/a", f"swift://{container}/b/c")
    for _ in range(KILLS):
        left = chance.randrange(1, 30)
        command = [sys.executable, "-m", "bulkput", *move]
        running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        assert running[-1].wait() == -signal.SIGKILL
        there = set(judge.names(container))
        assert all(name in there or f"b/c/{name[2:]}" in there for name in MANY), "at any time"
    ran = bulkput(*move)
    assert ran.exit_code == 0, ran.err
    found = {row["name"]: row["hash"] for row in judge.rows(container)}
    assert found == {f"b/c/{n[2:]}": hashlib.md5(content.encode()).hexdigest() for n, content in MANY.items()}
    assert {fields_of(judge, container, name)[1]["X-Object-Meta-Color"] for name in list(found)[::15]} == {"red"}
    print(killed_at)
