"""`bulkput verify` against the devserver. Each docstring begins with the command that the test covers."""

import asyncio
import gzip
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiohttp import web

import bulkput as library
from bulkput.devserver import DevServer, Handler
from bulkput.devserver.record import StoredObject
from bulkput.engine.open_store import connected
from bulkput.events import Event, Finding, Verdict
from bulkput.model import ObjectHeaders
from bulkput.options import UploadOptions, WireOptions
from bulkput.testing.given import whole
from tests.conftest import environ_of
from tests.e2e.cli import Ran, bulkput
from tests.servers.devserver import devserver_process


@pytest.fixture
def url() -> str:
    return f"swift://c-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Six files in three levels, one of them empty, one larger than the buffer, two that sort around `/`."""
    root = tmp_path / "tree"
    (root / "a" / "b").mkdir(parents=True)
    for name in ("one.txt", "a/two.html", "a-b", "a0"):
        (root / name).write_text(name)
    (root / "empty").touch()
    (root / "a" / "b" / "three.bin").write_bytes(os.urandom(2_500_000))
    return root


def test_verify_finds_uploaded_files_identical(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput verify TREE swift://c/p: exit 0, nothing on stdout, one listing and a HEAD for the empty file"""
    assert bulkput("upload", tree, f"{url}/p", environ=environ).exit_code == 0
    ran = bulkput("verify", tree, f"{url}/p", environ=environ)
    assert (ran.exit_code, ran.out) == (0, ""), ran.err
    assert ran.err.startswith("6 identical; 4 requests in ")
    ran = bulkput("verify", tree, f"{url}/p/", "--json", "-q", environ=environ)
    assert ran.err == ""
    (finished,) = ran.rows
    assert (finished["event"], finished["identical"], finished["requests"]) == ("finished", 6, {"GET": 3, "HEAD": 1})


def test_verify_prints_a_line_for_each_difference(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput verify TREE swift://c/p: exit 1; with --quick, files of equal size count as identical"""
    assert bulkput("upload", tree, f"{url}/p", environ=environ).exit_code == 0
    (tree / "a0").unlink()
    (tree / "new\nline").write_text("new")
    (tree / "one.txt").write_text("ONE.TXT")
    (tree / "a" / "two.html").write_text("longer than before")
    with (tree / "a" / "b" / "three.bin").open("r+b") as file:
        file.seek(2_000_000)
        file.write(bytes(64))
    ran = bulkput("verify", tree, f"{url}/p", environ=environ)
    assert ran.exit_code == 1
    by_size = {"extra p/a0", "missing p/new\\nline", "different p/a/two.html (18 bytes here, 10 in the store)"}
    by_md5 = {"different p/one.txt (another MD5)", "different p/a/b/three.bin (another MD5)"}
    assert set(ran.out.splitlines()) == by_size | by_md5
    assert ran.err.startswith("2 identical, 3 different, 1 missing, 1 extra; ")
    quick = bulkput("verify", "--quick", tree, f"{url}/p", environ=environ)
    assert (quick.exit_code, set(quick.out.splitlines())) == (1, by_size)


def test_json_rows_have_sizes_and_hashes_of_both_sides(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput verify --json: the last row has the totals"""
    assert bulkput("upload", tree, url, environ=environ).exit_code == 0
    (tree / "one.txt").write_text("ONE.TXT")
    (tree / "a0").unlink()
    ran = bulkput("verify", "--json", tree, url, environ=environ)
    *findings, finished = ran.rows
    assert sorted(findings, key=lambda row: row["name"]) == [
        {
            "event": "extra", "name": "a0", "path": None, "why": None, "size": None, "remote_size": 2,
            "md5": None, "remote_hash": hashlib.md5(b"a0").hexdigest(),
        },
        {
            "event": "different", "name": "one.txt", "path": str(tree / "one.txt"), "why": "another MD5", "size": 7,
            "remote_size": 7, "md5": hashlib.md5(b"ONE.TXT").hexdigest(),
            "remote_hash": hashlib.md5(b"one.txt").hexdigest(),
        },
    ]  # fmt: skip
    assert (finished["identical"], finished["different"], finished["extra"], finished["stopped"]) == (4, 1, 1, None)


def test_objects_of_excluded_names_are_not_extra(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput verify --exclude --include: filters apply to files and objects"""
    assert bulkput("upload", tree, url, environ=environ).exit_code == 0
    shutil.rmtree(tree / "a")
    assert bulkput("verify", tree, url, environ=environ).out.splitlines() == ["extra a/b/three.bin", "extra a/two.html"]
    for flags in (("--exclude", "a/"), ("--include", "*.txt"), ("--exclude", "*.bin", "--exclude", "*.html")):
        ran = bulkput("verify", *flags, tree, url, environ=environ)
        assert (ran.exit_code, ran.out) == (0, ""), flags


def test_percent_encoded_names_are_compared(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput verify --encode-names percent: escaped names sort in another order than the files"""
    for name in (b"\xff", b"%", b"a%b", b"\xc3\xa9", b"a\xfe/x", b"~"):
        path = os.fsencode(tree) + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(name)
    assert bulkput("upload", "--encode-names", "percent", tree, f"{url}/p", environ=environ).exit_code == 0
    ran = bulkput("verify", "--encode-names", "percent", tree, f"{url}/p", environ=environ)
    assert (ran.exit_code, ran.out) == (0, ""), ran.err
    ran = bulkput("verify", "--encode-names", "percent", "--exclude", "a*", tree, f"{url}/p", environ=environ)
    assert (ran.exit_code, ran.out) == (0, ""), ran.err
    ran = bulkput("verify", tree, f"{url}/p", environ=environ)
    assert ran.exit_code == 1
    why = "name: its name is not UTF-8; --encode-names percent uploads it under an escaped name"
    assert f"unreadable {tree}/\\xff: {why}" in ran.out.splitlines()
    assert "extra p/%FF" in ran.out.splitlines()


@pytest.mark.parametrize(("destination", "other"), [("/p/", 0), ("/p", 1), ("", 0), ("/one.txt", 1)])
def test_single_files_are_compared_without_neighbouring_objects(
    environ: Mapping[str, str], url: str, tree: Path, destination: str, other: int
) -> None:
    """bulkput verify FILE swift://c[/[NAME|PREFIX/]]: a destination may name the object itself"""
    for arguments in ((tree, url), (tree, f"{url}/p"), (tree / "one.txt", f"{url}{destination}")):
        assert bulkput("upload", *arguments, environ=environ).exit_code == 0
    ran = bulkput("verify", tree / "one.txt", f"{url}{destination}", environ=environ)
    assert (ran.exit_code, ran.err[:12]) == (0, "1 identical;"), ran.out
    assert bulkput("verify", tree / "a-b", f"{url}{destination}", environ=environ).exit_code == other


def test_objects_between_two_source_files_are_not_extra(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput verify FILE FILE swift://c: a missing one is reported"""
    assert bulkput("upload", tree, url, environ=environ).exit_code == 0
    (tree / "two").write_text("two")
    ran = bulkput("verify", tree / "two", tree / "a-b", url, environ=environ)
    assert (ran.exit_code, ran.out) == (1, "missing two\n")


def test_every_file_is_missing_in_a_container_that_does_not_exist(
    environ: Mapping[str, str], url: str, tree: Path
) -> None:
    """bulkput verify TREE swift://nope: a message says so; exit 1, like rclone check"""
    ran = bulkput("verify", tree, url, environ=environ)
    assert (ran.exit_code, len(ran.out.splitlines())) == (1, 6)
    name = url.removeprefix("swift://").partition("/")[0]
    assert f"there is no container {name}: nothing is stored at {url}" in ran.err


def test_verify_answers_wrong_arguments_with_one_sentence(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput verify to plain HTTP, without DEST, or without a source: exit 2"""
    for arguments, why in (
        ((tree, "http://127.0.0.1:1/x/"), "cannot verify http://127.0.0.1:1/x/: plain HTTP has no listing"),
        ((tree / "one.txt", "http://127.0.0.1:1/x/"), "cannot verify http://127.0.0.1:1/x/: plain HTTP has no listing"),
        ((tree,), "verify wants one SOURCE or more, and a DEST"),
        ((tree / "absent", url), "No such file or directory"),
    ):
        ran = bulkput("verify", *arguments, environ=environ)
        assert (ran.exit_code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
        assert why in ran.err


def test_a_refused_token_is_exit_code_3(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput verify --json with a stale token"""
    token = {"OS_STORAGE_URL": environ["ST_AUTH"].replace("auth/v1.0", "v1/AUTH_test"), "OS_AUTH_TOKEN": "stale"}
    ran = bulkput("verify", "--json", tree, url, environ=token)
    assert ran.exit_code == 3
    assert "stopped: " in ran.err and "the store refuses OS_AUTH_TOKEN: it has expired" in ran.err
    (finished,) = ran.rows
    assert (finished["identical"], finished["missing"]) == (0, 0)
    assert "OS_AUTH_TOKEN" in finished["stopped"]


def test_compressed_objects_are_compared_by_their_source_metadata(
    environ: Mapping[str, str], url: str, tree: Path
) -> None:
    """bulkput verify: Source-Md5 and Source-Size of a gzip object; without them it is not comparable"""
    for name in ("one.txt", "a-b", "a0"):
        content = (tree / name).read_bytes()
        (packed := tree.parent / "packed").write_bytes(gzip.compress(content))
        meta = ["--meta", f"Source-Md5:{hashlib.md5(content).hexdigest()}", "--meta", f"Source-Size:{len(content)}"]
        flags = ["--header", "Content-Encoding: gzip", *(meta if name != "a0" else [])]
        assert bulkput("upload", packed, f"{url}/{name}", *flags, environ=environ).exit_code == 0
    (tree / "a-b").write_text("A-B")
    ran = bulkput("verify", *(tree / name for name in ("one.txt", "a-b", "a0")), url, environ=environ)
    assert sorted(ran.out.splitlines()) == [
        "different a-b (compressed from another MD5)",
        "not comparable a0 (stored with Content-Encoding gzip, without its source's MD5)",
    ]
    assert (ran.exit_code, ran.err[:12]) == (1, "1 identical,")
    assert bulkput("verify", "--quick", tree / "one.txt", tree / "a-b", url, environ=environ).exit_code == 0


def test_an_interrupted_verify_reports_nothing_about_unchecked_files(tmp_path: Path) -> None:
    """bulkput verify, then Ctrl-C: exit 130; no unchecked file is called missing or extra"""
    with devserver_process("--latency", "head=0.2") as server:
        for n in range(300):
            (tmp_path / f"{n:03d}").write_text(str(n))
        assert bulkput("upload", tmp_path, "swift://c", environ=server.environment).exit_code == 0
        for n in range(300):
            (tmp_path / f"{n:03d}").write_text("longer than before")
        command = [
            sys.executable,
            "-m",
            "bulkput",
            "verify",
            str(tmp_path),
            "swift://c",
            "--concurrency",
            "1",
            "--json",
        ]
        with subprocess.Popen(
            command,
            env={**os.environ, **server.environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            assert running.stdout is not None
            assert '"different"' in running.stdout.readline()
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=30)
        assert running.returncode == 130, err
        assert '"missing": 0, "extra": 0' in out.splitlines()[-1]
        assert "stopped: interrupted" in err


async def test_12_000_objects_take_three_listing_requests(devserver: DevServer, tmp_path: Path) -> None:
    """bulkput verify TREE swift://c: a login, two pages, the empty page after them, and no HEAD"""
    names = [f"{n // 1000:02d}/{n:05d}" for n in range(12_000)]
    devserver.store.create("many", ())
    container = devserver.store.containers["many"]
    pieces, etag = (b"x",), hashlib.md5(b"x").hexdigest()
    for name in names:
        container.enter(StoredObject(name, 1, etag, "text/plain", 1e9, (), pieces))

    def verified() -> Ran:
        """Runs in a thread, because the store runs in this one."""
        (tmp_path / "x").write_bytes(b"x")
        for n in range(12):
            (tmp_path / "tree" / f"{n:02d}").mkdir(parents=True)
        for name in names:  # a new file each would take ten times as long
            os.link(tmp_path / "x", tmp_path / "tree" / name)
        return bulkput("verify", "--json", tmp_path / "tree", "swift://many", environ=environ_of(devserver))

    ran = await asyncio.to_thread(verified)
    (finished,) = ran.rows
    assert (ran.exit_code, finished["identical"], finished["requests"]) == (0, 12_000, {"GET": 4})


async def test_a_file_that_vanishes_during_verify_is_unreadable(tmp_path: Path) -> None:
    """bulkput.verify: neither missing nor identical, and its object is not extra"""
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)

    async def intercept(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        # The walk has read the directory by now: it gave its first file before the first request.
        if "prefix=" in request.raw_path:
            (tmp_path / "b").unlink(missing_ok=True)
        return await handler(request)

    async with DevServer(intercept=intercept) as server:
        await library.upload(tmp_path, "swift://c", environ=environ_of(server))
        findings: list[Event] = []
        comparison = await library.verify(tmp_path, "swift://c", on_event=findings.append, environ=environ_of(server))
    (finding,) = [event for event in findings if isinstance(event, Finding)]
    assert (finding.verdict, finding.path) == (Verdict.UNREADABLE, os.fsencode(tmp_path / "b"))
    assert finding.why.startswith("vanished: ")
    assert (comparison.identical, comparison.exit_code) == (2, 1)


async def test_an_object_whose_head_fails_is_not_comparable(tmp_path: Path) -> None:
    """bulkput.verify: only that object is affected"""
    for name in ("a", "b"):
        (tmp_path / name).write_text("here")

    async def intercept(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.method == "HEAD" and request.path.endswith("/a"):
            return web.Response(status=400)
        return await handler(request)

    findings: list[Event] = []
    async with DevServer(intercept=intercept) as server:
        async with connected("swift://c", environ=environ_of(server)) as (store, _):
            await store.prepare()
            for name in ("a", "b"):
                await store.put(name, whole(b"there"), ObjectHeaders())
        comparison = await library.verify(
            tmp_path,
            "swift://c",
            options=UploadOptions(wire=WireOptions(concurrency=2)),
            on_event=findings.append,
            environ=environ_of(server),
        )
    assert (comparison.different, comparison.not_comparable, comparison.exit_code) == (1, 1, 1)
    doubts = [event for event in findings if isinstance(event, Finding) and event.verdict is Verdict.NOT_COMPARABLE]
    assert ["stat a: 400" in doubt.why for doubt in doubts] == [True]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Files that auto compresses and others, with names that sort in another order if .gz is added."""
    root = tmp_path / "texts"
    (root / "a").mkdir(parents=True)
    for name in ("a.txt", "a.txt-b", "a/c.txt", "taken"):
        (root / name).write_text(f"{name} " * 2_000)
    (root / "taken.gz").write_bytes(gzip.compress(b"another"))
    (root / "small").write_text("small")
    (root / "large.txt").write_text("".join(f"{n} " for n in range(400_000)))
    return root


@pytest.mark.parametrize(("mode", "store_as"), [("auto", "encoding"), ("always", "encoding"), ("always", "suffix")])
def test_verify_finds_compressed_uploads_identical(
    environ: Mapping[str, str], url: str, texts: Path, mode: str, store_as: str
) -> None:
    """bulkput verify --gzip MODE --gzip-as HOW: one listing, a HEAD for each compressed object, no extra object"""
    flags = ("--gzip", mode, "--gzip-as", store_as)
    uploaded = bulkput("upload", *flags, texts, url, "--summary", "-", environ=environ)
    assert uploaded.exit_code == 0, uploaded.err
    compressed = uploaded.rows[0]["gzip"]["compressed"]
    assert compressed == (7 if mode == "always" else 5)
    ran = bulkput("verify", *flags, "--json", texts, url, environ=environ)
    (finished,) = ran.rows
    assert (ran.exit_code, finished["identical"], finished["requests"]["HEAD"]) == (0, 7, compressed), ran.err


def test_differences_of_gzip_files_are_reported_by_object_name(
    environ: Mapping[str, str], url: str, texts: Path
) -> None:
    """bulkput verify --gzip always --gzip-as suffix: changed, missing and extra"""
    flags = ("--gzip", "always", "--gzip-as", "suffix")
    assert bulkput("upload", *flags, texts, url, environ=environ).exit_code == 0
    (texts / "a.txt").write_text("changed " * 2_000)
    (texts / "a" / "c.txt").unlink()
    (texts / "new").write_text("new " * 2_000)
    ran = bulkput("verify", *flags, texts, url, environ=environ)
    sizes = "(16000 bytes here, compressed in the store from 12000 bytes)"
    assert set(ran.out.splitlines()) == {"missing new.gz", "extra a/c.txt.gz", f"different a.txt.gz {sizes}"}
    assert ran.exit_code == 1


def test_a_single_file_with_suffix_claims_only_its_own_object(
    environ: Mapping[str, str], url: str, texts: Path
) -> None:
    """bulkput verify --gzip always --gzip-as suffix FILE swift://c/: other names with this beginning are not extra"""
    flags = ("--gzip", "always", "--gzip-as", "suffix")
    assert bulkput("upload", *flags, texts, url, environ=environ).exit_code == 0
    ran = bulkput("verify", *flags, texts / "a.txt", f"{url}/", environ=environ)
    assert (ran.exit_code, ran.out) == (0, ""), ran.err
    assert ran.err.startswith("1 identical; ")


def test_filters_match_file_names_and_not_names_with_gz(environ: Mapping[str, str], url: str, texts: Path) -> None:
    """bulkput verify --include / --exclude with --gzip-as suffix"""
    flags = ("--gzip", "always", "--gzip-as", "suffix")
    assert bulkput("upload", *flags, texts, url, environ=environ).exit_code == 0
    ran = bulkput("verify", *flags, "--exclude", "*.txt", texts, url, environ=environ)
    assert (ran.exit_code, ran.out) == (0, ""), ran.err
    (texts / "a.txt").unlink()
    ran = bulkput("verify", *flags, "--include", "*.txt", texts, url, environ=environ)
    assert (ran.exit_code, ran.out) == (1, "extra a.txt.gz\n"), ran.err
