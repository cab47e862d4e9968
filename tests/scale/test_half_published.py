"""A site is published twenty times under faults, while readers look: none ever meets half a build."""

import hashlib
import http.client
import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.faults.target import NginxTarget, SwiftTarget, Target, new_place
from tests.servers.faultprocess import ProxyProcess
from tests.servers.faultproxy import Cut, Plan, Say
from tests.servers.judge import SwiftJudge
from tests.servers.nginx import NginxDav
from tests.servers.swift import RealSwift

pytestmark = [pytest.mark.scale, pytest.mark.timeout(1200)]
BUILDS = 20
KILLED = frozenset(range(2, BUILDS, 3))
"""Builds whose first run is killed by SIGKILL in the middle."""
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
FAULTS = Plan(
    chances=(
        (0.02, Cut("before the request")),
        (0.02, Cut("in the request", after=300)),
        (0.02, Cut("before the answer")),
        (0.02, Cut("in the answer")),
        (0.03, Say(BUSY)),
    ),
    per="request",
)
Read = Callable[[str], bytes | None]


def page(build: int, links: list[str]) -> bytes:
    """A page that proves itself: its last line is the SHA-256 of what comes before."""
    text = json.dumps({"build": build, "links": links}).encode() + b"\n"
    return text + hashlib.sha256(text).hexdigest().encode()


def opened(content: bytes | None, name: str) -> tuple[int, list[str]]:
    """The build and the links of a page. Fails if it is missing or not whole."""
    assert content is not None, f"{name} is missing"
    text, _, proof = content.rpartition(b"\n")
    assert hashlib.sha256(text + b"\n").hexdigest().encode() == proof, f"{name} is not whole"
    read = json.loads(text)
    return read["build"], read["links"]


def make_build(root: Path, build: int) -> None:
    """Write a build: assets that carry their hash in their names, half of them new; two pages; the index."""
    for old in (root / "assets").glob("*"):
        old.unlink()
    (root / "assets").mkdir(parents=True, exist_ok=True)
    (root / "guide").mkdir(exist_ok=True)
    assets = []
    for number in range(16):
        content = f"{number} of {build if number % 2 else 0}".encode() * 200
        name = f"assets/{number:02}-{hashlib.sha256(content).hexdigest()[:16]}.js"
        (root / name).write_bytes(content)
        assets.append(name)
    (root / "about.html").write_bytes(page(build, assets[:8]))
    (root / "guide" / "start.html").write_bytes(page(build, assets[8:]))
    (root / "index.html").write_bytes(page(build, ["about.html", "guide/start.html", *assets]))


def visit(read: Read) -> int:
    """Read the index and everything that it links to. Returns the index's build. Fails for a half of anything."""
    build, links = opened(read("index.html"), "index.html")
    for link in links:
        if link.endswith(".html"):
            newer, more = opened(read(link), link)
            assert newer >= build, f"the index of build {build} links to {link} of build {newer}"
            links_of_page = more
        else:
            links_of_page = [link]
        for asset in links_of_page:
            content = read(asset)
            assert content is not None, f"{asset} of build {build} is missing"
            assert hashlib.sha256(content).hexdigest()[:16] in asset, f"{asset} is not whole"
    return build


class Readers(threading.Thread):
    """Visits the site again and again, past the faults."""

    def __init__(self, read: Read) -> None:
        super().__init__(daemon=True)
        self._read = read
        self._is_over = threading.Event()
        self.visits: Counter[int] = Counter()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._is_over.is_set():
                self.visits[visit(self._read)] += 1
        except BaseException as error:  # shown by `end`, in the test's own thread
            self.error = error

    def end(self) -> None:
        self._is_over.set()
        self.join()
        if self.error is not None:
            raise self.error


def publish(arguments: list[str], environ: Mapping[str, str], *, killed_after: int | None) -> int:
    """Run `bulkput upload` to its end, or kill it when that many objects are stored. Returns how it ended."""
    command = [sys.executable, "-m", "bulkput", "upload", "--progress", "none", "--json", *arguments]
    with subprocess.Popen(command, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        stored = 0
        for line in process.stdout:
            stored += '"event": "uploaded"' in line
            if killed_after is not None and stored >= killed_after:
                process.kill()
                break
        return process.wait()


def twenty_publishes(target: Target, read: Read, tmp_path: Path, options: list[str]) -> None:
    chance = random.Random(7)
    site = tmp_path / "site"
    order = ["--last", "*.html", "--last", "/index.html", "--retries", "20"]
    runs: Counter[int] = Counter()
    readers = Readers(read)
    with ProxyProcess(*target.address, FAULTS) as proxy:
        url, environ = target.by(proxy.port)
        arguments = [*order, *options, str(site), url]
        for build in range(BUILDS):
            make_build(site, build)
            killed_after = chance.randint(1, 9) if build in KILLED else None
            ended = publish(arguments, environ, killed_after=killed_after)
            assert killed_after is None or ended == -9
            while ended != 0:
                runs[ended] += 1
                assert runs.total() < 5 * BUILDS
                ended = publish(arguments, environ, killed_after=None)
            if build == 0:
                readers.start()
        readers.end()
        faults = proxy.stop().faults
    print(f"{target.name}: {readers.visits.total()} visits of {len(readers.visits)} builds; runs that failed, by how")
    print(f"they ended: {dict(runs)}; faults: {dict(faults)}")
    assert visit(read) == BUILDS - 1
    assert len(readers.visits) > BUILDS / 4 and readers.visits.total() > BUILDS and faults.total() > BUILDS


MIRROR = ["--skip", "identical", "--delete-extra", "--keep-for", "14d"]


@contextmanager
def reading(base: str, fields: Mapping[str, str]) -> Iterator[Read]:
    """Reads over one connection, with the standard library."""
    parts = urlsplit(base)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)

    def read(name: str) -> bytes | None:
        connection.request("GET", f"{parts.path}/{quote(name)}", headers=fields)
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status in (200, 404), answer.status
        return content if answer.status == 200 else None

    yield read
    connection.close()


@pytest.mark.parametrize(
    "server", [pytest.param("swift", marks=pytest.mark.swift), pytest.param("rgw", marks=pytest.mark.rgw)]
)
def test_no_reader_of_an_object_store_meets_half_a_build(
    request: pytest.FixtureRequest, tmp_path: Path, server: str
) -> None:
    """Resets, 503s, kill -9 and reruns; old assets stay for a fortnight."""
    found = request.getfixturevalue(server)
    assert isinstance(found, RealSwift)
    target = SwiftTarget(found, new_place(), name=server)
    judge = SwiftJudge(found.auth_url, found.user, found.key)
    with reading(f"{judge.storage_url}/{target.place}", {"X-Auth-Token": judge.token}) as read:
        twenty_publishes(target, read, tmp_path, MIRROR)


@pytest.mark.nginx
def test_no_reader_of_a_web_server_meets_half_a_build(nginx: NginxDav, tmp_path: Path) -> None:
    """The same by plain HTTP PUT, which removes nothing."""
    target = NginxTarget(nginx, new_place())
    with reading(f"{nginx.url}/{target.place}", {}) as read:
        twenty_publishes(target, read, tmp_path, [])
