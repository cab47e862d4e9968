"""Temporary URLs on a real Swift and a real Ceph RGW: made, judged by `swift tempurl` and curl, uploaded to."""

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bulkput import events as ev
from bulkput.engine.open_store import connected
from bulkput.engine.upload.upload import upload
from bulkput.options import LargeOptions, RetryOptions, UploadOptions, WireOptions
from bulkput.policy.temp_url import Place, Wish, sign
from bulkput.stores.base import Destination
from tests.e2e.cli import Bulkput, Ran
from tests.e2e.cli import bulkput as in_a_process
from tests.servers.judge import SwiftJudge
from tests.servers.swift import SCRIPT, RealSwift

KEY = "a k/e+y"
ODD_NAMES = ("plain", "with space", "ünïcödé/日本語", "hash#and?query&more=1", "percent%2f", "plus+plus", "new\nline")


@dataclass(frozen=True, slots=True)
class World:
    """A server with a key for temporary URLs, and a container in it."""

    server: RealSwift
    container: str
    judge: SwiftJudge
    bulkput: Bulkput
    monkeypatch: pytest.MonkeyPatch
    is_ceph: bool

    def makes(self, *arguments: str) -> str:
        """Runs `bulkput tempurl ARGUMENTS` with the owner's credentials; gives the URL."""
        with self.monkeypatch.context() as patch:
            for name, value in self.server.environment.items():
                patch.setenv(name, value)
            ran = self.bulkput("tempurl", *arguments)
        assert ran.exit_code == 0, ran.err
        assert ran.err == ("" if not self.is_ceph or "--digest" in arguments else SHA_1)
        (line,) = ran.out.splitlines()
        return line

    def made(self, name: str, *, expires_s: float | None = None, is_object: bool = False) -> str:
        """Signs a URL for PUT without a request."""
        place = Place(storage_url=self.judge.storage_url, container=self.container, name=name)
        wish = Wish(method="PUT", expires_s=int(expires_s or time.time() + 3600), is_object=is_object)
        return sign(place, wish, KEY, "sha1").url


SHA_1 = "bulkput: the store takes signatures by SHA-1 only, as Ceph's gateway and old Swifts do\n"


@pytest.fixture(
    scope="module",
    params=[pytest.param("swift", marks=pytest.mark.swift), pytest.param("rgw", marks=pytest.mark.rgw)],
)
def server(request: pytest.FixtureRequest) -> RealSwift:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, RealSwift)
    return found


@pytest.fixture
def world(server: RealSwift, bulkput: Bulkput, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    judge = SwiftJudge(server.auth_url, server.user, server.key)
    container = f"tempurl-{uuid.uuid4().hex[:8]}"
    judge.put(container, "", b"")
    judge.set_key(KEY)
    yield World(server, container, judge, bulkput, monkeypatch, "/swift/" in judge.storage_url)
    judge.set_key(KEY)  # which a test may have taken away


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name in ODD_NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "large").write_bytes(os.urandom(1_500_000))
    return root


@pytest.fixture
def blockbuster() -> None:
    """Disables the check for blocking calls: the commands run event loops of their own in this process."""


def signature_of(url: str) -> str:
    signed = Destination.parse(url).temp_url
    assert signed is not None
    return signed.signature


def by_curl(method: str, url: str, *arguments: str) -> tuple[int, str]:
    """Gives the status and the body of the answer."""
    command = ["curl", "-sS", "-X", method, "-w", "\n%{http_code}", *arguments, url]
    body, _, status = subprocess.run(command, capture_output=True, text=True, check=True).stdout.rpartition("\n")
    return int(status), body


def by_swift(*arguments: str) -> str:
    """`swift tempurl` of python-swiftclient, from the environment of the server."""
    program = SCRIPT.parents[1] / ".tools" / "swift-venv" / "bin" / "swift"
    done = subprocess.run([str(program), "tempurl", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_url_of_ours_equals_that_of_swiftclient_and_works_with_curl(world: World) -> None:
    """bulkput tempurl swift://C/p q --digest sha1; swift tempurl --prefix-based; curl -T"""
    expires = str(int(time.time()) + 600)
    url = world.makes(f"swift://{world.container}/p q", "--expires-at", expires, "--digest", "sha1")
    place = f"{world.judge.storage_url}/{world.container}/p q/"
    theirs = by_swift("--absolute", "--prefix-based", "--digest", "sha1", "PUT", expires, place, KEY)
    if world.is_ceph:  # python-swiftclient 4.11.0 takes the container for a part of the prefix, after /swift/v1
        theirs = theirs.replace(f"prefix={world.container}/", "prefix=")
    assert url == theirs.replace(" ", "%20")

    address, _, query = url.partition("?")
    assert by_curl("PUT", f"{address}sub/x?{query}", "-d", "by curl")[0] == 201
    assert world.judge.content(world.container, "p q/sub/x") == b"by curl"
    assert by_curl("PUT", f"{address[:-5]}q/x?{query}", "-d", "outside")[0] in (401, 403)
    assert by_curl("GET", f"{address}sub/x?{query}")[0] in (401, 403)

    read = world.makes(f"swift://{world.container}/p q/sub/x", "--object", "--method", "GET")
    assert by_curl("GET", read) == (200, "by curl")


@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_a_signature_by_another_digest_works_where_the_store_takes_it(world: World, digest: str) -> None:
    """bulkput tempurl --digest: on Ceph's gateway a usage error"""
    with world.monkeypatch.context() as patch:
        for name, value in world.server.environment.items():
            patch.setenv(name, value)
        ran = world.bulkput("tempurl", f"swift://{world.container}", "--digest", digest)
    if world.is_ceph:
        assert (ran.exit_code, ran.err) == (2, "bulkput: --digest: the store takes signatures by sha1 only\n")
        return
    address, _, query = ran.out.strip().partition("?")
    assert by_curl("PUT", f"{address}x?{query}", "-d", digest)[0] == 201


def test_an_upload_needs_no_credentials_and_one_request_for_each_object(world: World, tree: Path) -> None:
    """bulkput upload tree URL --meta --cache-control --expires-in"""
    url = world.makes(f"swift://{world.container}/p")
    options = ("--meta", "Colour:red", "--cache-control", "no-store", "--expires-in", "1h")
    ran = world.bulkput("upload", tree, url, *options, "--summary", "-")
    assert (ran.exit_code, ran.summary["uploaded"]) == (0, len(ODD_NAMES) + 1), ran.err
    assert ran.summary["requests"] == {"PUT": len(ODD_NAMES) + 1}
    assert world.judge.names(world.container) == sorted((f"p/{name}" for name in (*ODD_NAMES, "large")), key=str.encode)
    for name in (*ODD_NAMES, "large"):
        seen = world.judge.get(world.container, f"p/{name}")
        assert seen is not None and seen.content == (tree / name).read_bytes()
        assert (seen.headers["X-Object-Meta-Colour"], seen.headers["Cache-Control"]) == ("red", "no-store")
        assert abs(int(seen.headers["X-Delete-At"]) - time.time() - 3600) < 300
        assert "X-Object-Meta-Mtime" in seen.headers


def test_tempurl_takes_the_url_of_the_variable(world: World, tree: Path) -> None:
    """BULKPUT_TEMPURL=URL bulkput upload FILE tempurl://one; tempurl://below/ --gzip always"""
    world.monkeypatch.setenv("BULKPUT_TEMPURL", world.made("p/"))
    assert world.bulkput("upload", tree / "plain", "tempurl://one", "-q").exit_code == 0
    assert world.bulkput("upload", tree / "plain", "tempurl://below/", "-q", "--gzip", "always").exit_code == 0
    assert world.judge.names(world.container) == ["p/below/plain", "p/one"]
    seen = world.judge.get(world.container, "p/below/plain")
    assert seen is not None and seen.headers["Content-Encoding"] == "gzip"


def test_a_url_for_one_object_takes_one_file(world: World, tree: Path) -> None:
    """bulkput upload FILE URL: exit 0; a directory: exit 2 before any request"""
    url = world.makes(f"swift://{world.container}/name", "--object")
    assert world.bulkput("upload", tree, url).exit_code == 2
    assert world.judge.names(world.container) == []
    assert world.bulkput("upload", tree / "plain", url, "-q").exit_code == 0
    assert world.judge.names(world.container) == ["name"]


def test_a_journal_goes_on_with_another_signature(world: World, tree: Path, tmp_path: Path) -> None:
    """bulkput upload --journal J tree URL, twice: the second run has a new URL, and one new file to send"""
    journal = tmp_path / "journal"
    first, second = world.made("p/"), world.made("p/", expires_s=time.time() + 7200)
    assert world.bulkput("upload", tree, first, "--journal", journal, "-q").exit_code == 0
    (tree / "new").write_text("new")
    ran = world.bulkput("upload", tree, second, "--journal", journal, "--summary", "-")
    assert (ran.exit_code, ran.summary["uploaded"], ran.summary["requests"]) == (0, 1, {"PUT": 1}), ran.err
    status = world.bulkput("status", journal)
    assert f"-> {world.judge.storage_url}/{world.container}/p/\n" in status.out
    for url in (first, second):
        assert signature_of(url).encode() not in journal.read_bytes()


@pytest.mark.parametrize("mode", ["existing", "unchanged", "identical"])
def test_skip_looks_at_each_file_by_a_head(world: World, tree: Path, mode: str) -> None:
    """bulkput upload --skip MODE: there is no listing"""
    url = world.made("p/")
    assert world.bulkput("upload", tree, url, "-q").exit_code == 0
    (tree / "new").write_text("new")
    count = len(ODD_NAMES) + 1
    ran = world.bulkput("upload", tree, url, "--skip", mode, "--summary", "-")
    assert (ran.exit_code, ran.summary["uploaded"], ran.summary["skipped"]) == (0, 1, count), ran.err
    info = {"GET": 1} if mode == "existing" else {}  # whether the store refuses to overwrite
    assert ran.summary["requests"] == {"HEAD": count + 1, "PUT": 1, **info}


def test_what_a_temporary_url_cannot_do_is_a_usage_error(world: World, tree: Path) -> None:
    """--delete-extra, verify, ls, rm -r, bench, --storage-policy, --large slo"""
    url = world.made("p/")

    def says(*arguments: str | Path) -> str:
        ran = world.bulkput(*arguments)
        assert ran.exit_code == 2 and len(ran.err.splitlines()) == 1, ran.err
        return ran.err

    assert "has no listing" in says("upload", tree, url, "--delete-extra", "--yes")
    assert "has no listing" in says("verify", tree, url)
    assert "has no listing" in says("ls", url)
    assert "has no listing" in says("rm", "-r", "--yes", url)
    assert "cannot remove" in says("bench", "--to", url)
    assert "makes none" in says("upload", tree, url, "--storage-policy", "one")
    assert "--large slo: a temporary URL cannot make large objects" in says("upload", tree, url, "--large", "slo")
    assert "for names that begin with p/" in says("upload", tree, url.replace("/p/?", "/q/?"))
    assert world.judge.names(world.container) == []


def test_rm_of_one_object_fails_and_keeps_it(world: World) -> None:
    """bulkput rm URL: exit 1"""
    world.judge.put(world.container, "name", b"x")
    ran = world.bulkput("rm", world.made("name", is_object=True))
    assert (ran.exit_code, "cannot remove" in ran.err) == (1, True)
    assert world.judge.names(world.container) == ["name"]


def test_a_file_above_the_limit_fails_without_being_read(world: World, tmp_path: Path) -> None:
    """bulkput upload HUGE URL, with --segment-above: other stores would send it in parts"""
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(6 * 1024**3)
    ran = world.bulkput("upload", huge, world.made("p/"), "--segment-above", "1M", "--summary", "-")
    assert ran.exit_code == 1
    assert "6442450944 bytes, the store takes" in ran.summary["failures"][0]["error"]
    assert "PUT" not in ran.summary["requests"]


def test_an_expired_url_is_refused_before_anything_is_sent(world: World, tree: Path) -> None:
    """bulkput upload: exit 2, with the time of its expiry"""
    ran = world.bulkput("upload", tree, world.made("p/", expires_s=1_800_000_000 - 10**9))
    assert ran.exit_code == 2
    assert (
        "the temporary URL has expired, at 1995-05-09T06:13:20Z: ask for another, which bulkput tempurl makes"
        in ran.err
    )


def test_a_wrong_signature_stops_the_run_without_retries(world: World, tree: Path) -> None:
    """bulkput upload --concurrency 1: one request, exit 3"""
    url = world.made("p/")
    signature = signature_of(url)
    wrong = url.replace(signature, signature[::-1])
    ran = world.bulkput("upload", tree, wrong, "--concurrency", "1", "--summary", "-")
    assert (ran.exit_code, ran.summary["requests"], ran.summary["retries"]) == (3, {"PUT": 1}, 0)
    assert "the store refuses the temporary URL, which is valid until 20" in ran.err


def test_a_missing_container_stops_the_run(world: World, tree: Path) -> None:
    """bulkput upload --concurrency 1: exit 3; bulkput tempurl: exit 2"""
    place = Place(storage_url=world.judge.storage_url, container=f"{world.container}-absent", name="p/")
    url = sign(place, Wish(method="PUT", expires_s=int(time.time()) + 600), KEY, "sha1").url
    ran = world.bulkput("upload", tree, url, "--concurrency", "1", "--summary", "-")
    assert (ran.exit_code, ran.summary["requests"]) == (3, {"PUT": 1})
    assert ("no such container" if world.is_ceph else "there is no container tempurl-") in ran.err


async def test_a_url_that_expires_during_a_run_stops_it_and_another_goes_on(
    world: World, tmp_path: Path, tree: Path
) -> None:
    """bulkput.upload: a warning first; then Stopping with the time, and no retry; a new URL sends the rest"""
    for number in range(300):
        (tree / f"more-{number}").write_text("more")
    expires_s = int(time.time()) + 5
    url = await asyncio.to_thread(lambda: world.made("p/", expires_s=expires_s))
    seen: list[ev.Event] = []
    wire = WireOptions(concurrency=2, objects_per_s=30.0)
    options = UploadOptions(journal=str(tmp_path / "journal"), wire=wire, retry=RetryOptions(retries=5))
    summary = await upload([tree], url, options=options, on_event=seen.append, environ={})
    assert (summary.exit_code, summary.adds_up) == (3, True)
    assert 0 < summary.uploaded < 300 and summary.failed <= 2 and summary.retries == 0
    (warned,) = [event.why for event in seen if isinstance(event, ev.Warned)]
    assert "the temporary URL expires in" in warned
    (why,) = {event.why for event in seen if isinstance(event, ev.Stopping)}
    assert "the temporary URL has expired, at 20" in why

    again = await asyncio.to_thread(lambda: world.made("p/"))
    rest = await upload([tree], again, options=UploadOptions(journal=str(tmp_path / "journal")), environ={})
    assert (rest.exit_code, rest.uploaded) == (0, 300 + len(ODD_NAMES) + 1 - summary.uploaded)


@pytest.mark.parametrize("transport", ["wire", "aiohttp"])
def test_both_transports_send_the_signature(world: World, tree: Path, transport: str) -> None:
    """bulkput upload --transport"""
    assert world.bulkput("upload", tree, world.made("é &/"), "--transport", transport, "-q").exit_code == 0
    assert len(world.judge.names(world.container)) == len(ODD_NAMES) + 1


def test_a_pipe_is_uploaded(world: World) -> None:
    """echo piped | bulkput upload - URL: one object, held in memory"""
    url = world.made("p/").replace("/p/?", "/p/piped?")
    command = [sys.executable, "-m", "bulkput", "upload", "-", url, "-q"]
    subprocess.run(command, input=b"piped", check=True)
    assert world.judge.content(world.container, "p/piped") == b"piped"


def test_objects_are_copied_to_a_temporary_url(world: World) -> None:
    """bulkput cp -r swift://C/from URL: through this machine, from an account to another without its credentials"""
    world.judge.put(world.container, "from/a", b"a")
    with world.monkeypatch.context() as patch:
        for name, value in world.server.environment.items():
            patch.setenv(name, value)
        assert world.bulkput("cp", "-r", f"swift://{world.container}/from", world.made("to/")).exit_code == 0
    assert world.judge.content(world.container, "to/a") == b"a"


class TestKeys:
    """Where the key comes from."""

    def run(self, world: World, *arguments: str, **environ: str) -> Ran:
        with world.monkeypatch.context() as patch:
            for name, value in (world.server.environment | environ).items():
                patch.setenv(name, value)
            return world.bulkput("tempurl", *arguments)

    def test_without_a_key_the_command_says_how_to_set_one(self, world: World) -> None:
        """bulkput tempurl: exit 2; it sets none itself"""
        world.judge.set_key("")
        ran = self.run(world, f"swift://{world.container}")
        assert (ran.exit_code, ran.out) == (2, "")
        assert "neither the account nor the container has a key" in ran.err
        assert "`swift post -m 'Temp-URL-Key: SECRET'`" in ran.err
        assert self.run(world, f"swift://{world.container}").exit_code == 2

    def test_the_key_of_a_container_is_taken_if_the_account_has_none(self, world: World) -> None:
        """bulkput tempurl: Ceph's gateway ignores such keys, so it refuses the URL that was made"""
        world.judge.set_key("")
        world.judge.set_key("its own", world.container)
        ran = self.run(world, f"swift://{world.container}")
        if world.is_ceph:
            assert ran.exit_code == 2 and "Ceph's gateway takes the account's key only" in ran.err
            return
        address, _, query = ran.out.strip().partition("?")
        assert by_curl("PUT", f"{address}x?{query}", "-d", "x")[0] == 201

    def test_a_key_of_the_environment_is_proven_by_a_request(self, world: World) -> None:
        """BULKPUT_TEMPURL_KEY=... bulkput tempurl: the right one; a wrong one is refused"""
        place = f"swift://{world.container}/p"
        assert self.run(world, place, BULKPUT_TEMPURL_KEY=KEY).out.startswith(world.judge.storage_url)
        ran = self.run(world, place, BULKPUT_TEMPURL_KEY="another")
        assert (ran.exit_code, ran.out) == (2, "")
        assert "the key of BULKPUT_TEMPURL_KEY does not sign for this container" in ran.err
        assert "another" not in ran.err

    def test_with_a_key_the_url_of_a_place_is_signed_without_a_request(self, world: World) -> None:
        """BULKPUT_TEMPURL_KEY=KEY bulkput tempurl https://HOST/v1/A/C/p: no login"""
        with world.monkeypatch.context() as patch:
            patch.setenv("BULKPUT_TEMPURL_KEY", KEY)
            place = f"{world.judge.storage_url}/{world.container}/p"
            ran = world.bulkput("tempurl", place, "--digest", "sha1")
            absent = world.bulkput("tempurl", "http://127.0.0.1:1/v1/a/c/p")
        address, _, query = ran.out.strip().partition("?")
        assert by_curl("PUT", f"{address}x?{query}", "-d", "x")[0] == 201
        assert absent.out.startswith("http://127.0.0.1:1/v1/a/c/p/?temp_url_sig=")

    def test_a_missing_container_is_a_usage_error(self, world: World) -> None:
        """bulkput tempurl swift://ABSENT"""
        ran = self.run(world, f"swift://{world.container}-absent")
        assert (ran.exit_code, ran.out) == (2, "") and "make it first" in ran.err


@pytest.mark.swift
def test_an_address_outside_of_the_range_is_refused(swift: RealSwift, tree: Path) -> None:
    """bulkput tempurl --ip-range 127.0.0.0/8 and 192.0.2.0/24; bulkput upload"""
    judge = SwiftJudge(swift.auth_url, swift.user, swift.key)
    container = f"tempurl-{uuid.uuid4().hex[:8]}"
    judge.put(container, "", b"")
    judge.set_key(KEY)
    codes = []
    for network in ("127.0.0.0/8", "192.0.2.0/24"):
        made = in_a_process("tempurl", f"swift://{container}", "--ip-range", network, environ=swift.environment)
        assert made.exit_code == 0, made.err
        codes.append(in_a_process("upload", tree / "plain", f"{made.out.strip()}").exit_code)
    assert codes == [0, 3]


@pytest.mark.swift
async def test_no_part_of_a_large_object_is_ever_sent(swift: RealSwift) -> None:
    """The store has neither the power, nor a listing, nor a container to make, whatever the options say."""
    judge = SwiftJudge(swift.auth_url, swift.user, swift.key)
    storage_url = await asyncio.to_thread(lambda: judge.storage_url)
    place = Place(storage_url=storage_url, container="c", name="")
    url = sign(place, Wish(method="PUT", expires_s=int(time.time()) + 600), KEY, "sha256").url
    async with connected(url, large=LargeOptions(above=1), environ={}) as (store, count):
        await store.prepare()
        await store.undo_prepare()
        assert (await store.ask_limits()).max_parts == store.limits.max_parts == 1
        powers = {name for name in type(store.powers).__record__ if getattr(store.powers, name)}  # type: ignore[attr-defined]
    assert powers == {"access", "checks_md5", "refuses_existing", "settle", "shows_md5", "urls"}
    assert count.requests == Counter({"GET": 1})


async def test_a_url_overwrites_nothing_if_that_is_wanted(world: World, tmp_path: Path) -> None:
    """bulkput upload --if-exists fail DIRECTORY TEMPURL, twice: the mark and the look need no other rights."""
    (tmp_path / "a").write_bytes(b"first")
    url = world.made("p/")
    options = UploadOptions(if_exists="fail", retry=RetryOptions(retries=0))
    summary = await upload(tmp_path, url, options=options)
    assert (summary.uploaded, summary.exit_code) == (1, 0)
    (tmp_path / "a").write_bytes(b"second")
    (tmp_path / "b").write_bytes(b"new")
    summary = await upload(tmp_path, url, options=options)
    assert (summary.uploaded, summary.failed, summary.exit_code) == (1, 1, 1)
    stored = {name: await asyncio.to_thread(world.judge.content, world.container, f"p/{name}") for name in "ab"}
    assert stored == {"a": b"first", "b": b"new"}
