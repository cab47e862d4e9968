"""`bulkput upload --gzip`, checked with other tools: the swift client, zcat, curl."""

import json
import os
import subprocess
import uuid
from collections.abc import Mapping
from hashlib import md5
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.cli import bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.nginx import NginxDav
from tests.servers.swift import SCRIPT, RealSwift

CLIENT = SCRIPT.parents[1] / ".tools" / "swift-venv" / "bin" / "swift"
BUFFER = 1024 * 1024
TEXT = Path(__file__).read_bytes()
PNG = b"\x89PNG\r\n\x1a\n" + Random(1).randbytes(50_000)

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def container() -> str:
    return f"gz-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Text files: empty, tiny, with odd names, and one whose compressed stream exceeds the buffer."""
    root = tmp_path / "tree"
    texts = {
        "empty": b"",
        "of three words.txt": b"a b c",
        "ünï/cödé 🚀.html": b"<p>" * 5000,
        "ünï/cödé 🚀.html.gz": b"of the same name, and no gzip file " * 100,
        "a+b%20&c=d;e#f?.py": Path(__file__).read_bytes(),
        "large.log": _log(6_000_000),
    }
    return written(root, texts)


def _log(size: int) -> bytes:
    """Text that gzip compresses to about a third."""
    return Random(2).randbytes(size // 2).hex(" ", 24).encode()[:size]


def written(root: Path, contents: Mapping[str, bytes]) -> Path:
    for name, content in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def judge(swift: RealSwift) -> SwiftJudge:
    return SwiftJudge(swift.auth_url, swift.user, swift.key)


def client(swift: RealSwift, *arguments: str | Path, cwd: Path | None = None) -> None:
    subprocess.run([CLIENT, "-q", *arguments], cwd=cwd, env={**os.environ, **swift.environment}, check=True)


def zcat(stream: bytes) -> bytes:
    return subprocess.run(["zcat"], input=stream, capture_output=True, check=True).stdout


def curl(url: str) -> bytes:
    """Sends a GET like a browser: accepts gzip and unpacks the answer if it is compressed."""
    command = ["curl", "-sS", "--fail", "--compressed", url]
    return subprocess.run(command, capture_output=True, check=True).stdout


def events_and_summary(out: str) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Splits the output of `--json --summary -` into the rows of uploaded files, by file name, and the summary."""
    *rows, summary = map(json.loads, out.splitlines())
    return {os.path.basename(row["path"]): row for row in rows if row["event"] == "uploaded"}, summary


@pytest.mark.swift
@pytest.mark.parametrize(("store_as", "transport"), [("encoding", "wire"), ("suffix", "aiohttp")])
def test_every_compressed_object_unpacks_to_its_file(
    swift: RealSwift, container: str, tree: Path, tmp_path: Path, store_as: str, transport: str
) -> None:
    """bulkput upload --gzip always, then swift download + zcat, and curl --compressed: one PUT for each file"""
    client(swift, "post", "--read-acl", ".r:*", container)
    ran = bulkput(
        *("upload", tree, f"swift://{container}/p", "--gzip", "always", "--gzip-as", store_as),
        *("--transport", transport, "--summary", "-"),
        environ=swift.environment,
    )
    assert ran.exit_code == 0, ran.err
    sources = files(tree)
    summary = ran.summary
    assert summary["uploaded"] == len(sources) and summary["requests"] == {"GET": 1, "PUT": 1 + len(sources)}

    client(swift, "download", container, "--output-dir", tmp_path / "down")
    down = files(tmp_path / "down" / "p")
    suffix = ".gz" if store_as == "suffix" else ""
    assert {name.removesuffix(suffix): zcat(content) for name, content in down.items()} == sources
    assert summary["bytes_sent"] == sum(map(len, down.values()))
    assert summary["bytes_read"] == sum(map(len, sources.values()))
    assert len(down[f"large.log{suffix}"]) > BUFFER, "or it was not streamed"

    below = f"{judge(swift).storage_url}/{container}/p"
    for name, content in down.items():
        unpacked = sources[name] if store_as == "encoding" else content
        assert curl(f"{below}/{quote(name)}") == unpacked


@pytest.mark.swift
@pytest.mark.parametrize("store_as", ["encoding", "suffix"])
def test_a_compressed_object_has_md5_size_and_mtime_of_its_file(
    swift: RealSwift, container: str, tmp_path: Path, store_as: str
) -> None:
    """bulkput upload --gzip always --meta: they are metadata; the content type is that of the stored form"""
    tree = written(tmp_path / "tree", {"small.html": b"<p>" * 5000, "large.html": _log(3_000_000)})
    ran = bulkput(
        *("upload", tree, f"swift://{container}", "--gzip", "always", "--gzip-as", store_as, "--meta", "Build:42"),
        environ=swift.environment,
    )
    assert ran.exit_code == 0, ran.err
    for name, content in files(tree).items():
        seen = judge(swift).get(container, name + (".gz" if store_as == "suffix" else ""))
        assert seen is not None
        headers = seen.headers
        assert (headers["X-Object-Meta-Source-Md5"], headers["X-Object-Meta-Source-Size"]) == (
            md5(content).hexdigest(),
            str(len(content)),
        )
        assert float(headers["X-Object-Meta-Mtime"]) == pytest.approx((tree / name).stat().st_mtime, abs=1e-6)
        assert headers["X-Object-Meta-Build"] == "42"
        assert (headers["Content-Type"], headers.get("Content-Encoding")) == (
            ("text/html", "gzip") if store_as == "encoding" else ("application/gzip", None)
        )
        assert headers["ETag"] == md5(seen.content).hexdigest()


MIXED = {
    "code.py": (Path(__file__).read_bytes(), "saves"),
    "table.csv": (b"one;two;three\n" * 200_000, "sample_saves"),
    "picture": (PNG, "magic"),
    "packed.gz": (Random(3).randbytes(5000), "name"),
    "small-noise.txt": (Random(4).randbytes(5000), "saves_little"),
    "large-noise.txt": (Random(5).randbytes(1_500_000), "sample_saves_little"),
    "note.txt": (b"too small to matter", "small"),
    "empty": (b"", "empty"),
}


@pytest.mark.swift
def test_gzip_auto_sends_fewer_bytes_than_always_or_never(swift: RealSwift, container: str, tmp_path: Path) -> None:
    """bulkput upload --gzip auto: no object is larger than its file; an event gives the reason for each file"""
    tree = written(tmp_path / "tree", {name: content for name, (content, _) in MIXED.items()})
    numbers = {}
    for mode in ("always", "auto"):
        ran = bulkput(
            *("upload", tree, f"swift://{container}/{mode}", "--gzip", mode, "--json", "--summary", "-"),
            environ=swift.environment,
        )
        assert ran.exit_code == 0, ran.err
        rows, numbers[mode] = events_and_summary(ran.out)
    assert numbers["auto"]["bytes_sent"] < numbers["always"]["bytes_sent"]
    assert {name: row["why"] for name, row in rows.items()} == {name: why for name, (_, why) in MIXED.items()}
    compressed = {"code.py", "table.csv"}
    assert {name for name, row in rows.items() if row["is_compressed"]} == compressed
    for name, (content, _) in MIXED.items():
        seen = judge(swift).get(container, f"auto/{name}")
        assert seen is not None and len(seen.content) <= len(content) == rows[name]["bytes_read"]
        is_packed = name in compressed
        assert (seen.content == content) is not is_packed
        assert (seen.headers.get("Content-Encoding") == "gzip") is is_packed
        assert ("X-Object-Meta-Source-Md5" in seen.headers) is is_packed
    told = numbers["auto"]["gzip"]
    assert (told["compressed"], told["left_alone"]) == (2, 6)
    assert told["compressed_by_reason"] == {"saves enough": 1, "a sample of it saves enough": 1}
    assert told["left_alone_by_reason"] == {
        "already compressed, by its first bytes": 1, "already compressed, by its name": 1, "would save too little": 1,
        "a sample of it would save too little": 1, "too small to matter": 1, "empty": 1,
    }  # fmt: skip
    read, sent = numbers["auto"]["bytes_read"], numbers["auto"]["bytes_sent"]
    assert told["ratio"] == pytest.approx(read / sent, abs=0.001)


@pytest.mark.swift
@pytest.mark.parametrize("are_apart", [False, True], ids=["one source", "two sources"])
def test_gzip_as_suffix_gives_each_file_its_own_object_name(
    swift: RealSwift, container: str, tmp_path: Path, are_apart: bool
) -> None:
    """bulkput upload --gzip always --gzip-as suffix, of `a` and `a.gz`: a.gz and a.gz.gz"""
    first, second, packed = colliding_sources(tmp_path, are_apart=are_apart)
    ran = bulkput(
        *("upload", *sorted({first, second}), f"swift://{container}", "--gzip", "always", "--gzip-as", "suffix"),
        *("--summary", "-"),
        environ=swift.environment,
    )
    assert ran.exit_code == 0, ran.err
    assert ran.summary["requests"]["PUT"] == 1 + 3
    stored = stored_in(swift, container)
    assert {name: zcat(content) for name, content in stored.items()} == {
        "d/a.gz": TEXT, "d/a.gz.gz": packed, "d/b.gz": TEXT
    }  # fmt: skip


@pytest.mark.swift
@pytest.mark.parametrize("are_apart", [False, True], ids=["one source", "two sources"])
def test_a_second_file_for_one_object_name_fails(
    swift: RealSwift, container: str, tmp_path: Path, are_apart: bool
) -> None:
    """bulkput upload --gzip-except '*.gz' of `a` and `a.gz`: upload and verify name both files, exit 1"""
    first, second, packed = colliding_sources(tmp_path, are_apart=are_apart)
    flags = ("--gzip", "always", "--gzip-as", "suffix", "--gzip-except", "*.gz")
    arguments = (*sorted({first, second}), f"swift://{container}", *flags)
    ran = bulkput("upload", *arguments, "--summary", "-", environ=swift.environment)
    assert (ran.exit_code, ran.summary["uploaded"], ran.summary["failed"]) == (1, 2, 1), ran.err
    why = "collision: d/a is stored under this name, compressed: rename or exclude one of the two"
    assert f"{second}/d/a.gz: {why}" in ran.err
    assert {name: zcat(content) for name, content in stored_in(swift, container).items()} == dict.fromkeys(
        ("d/a.gz", "d/b.gz"), TEXT
    )
    ran = bulkput("verify", *arguments, environ=swift.environment)
    assert (ran.exit_code, ran.out) == (1, f"unreadable {second}/d/a.gz: {why}\n")
    ran = bulkput("upload", *arguments, "--exclude", "a", environ=swift.environment)
    assert ran.exit_code == 0, ran.err
    assert stored_in(swift, container)["d/a.gz"] == packed


def colliding_sources(tmp_path: Path, *, are_apart: bool) -> tuple[Path, Path, bytes]:
    """Creates d/a and d/b in one directory and d/a.gz in another, or in the same one.

    Gives both directories and the content of d/a.gz.
    """
    first, second = tmp_path / "one", tmp_path / ("two" if are_apart else "one")
    written(first, {"d/a": TEXT, "d/b": TEXT})
    packed = subprocess.run(["gzip", "-c"], input=b"of another file " * 1000, capture_output=True, check=True).stdout
    written(second, {"d/a.gz": packed})
    return first, second, packed


def stored_in(swift: RealSwift, container: str) -> dict[str, bytes]:
    found = {name: judge(swift).get(container, name) for name in judge(swift).names(container)}
    return {name: seen.content for name, seen in found.items() if seen is not None}


@pytest.mark.swift
@pytest.mark.parametrize("encode", ["strict", "percent"])
@pytest.mark.parametrize(("mode", "store_as"), [("always", "suffix"), ("always", "encoding"), ("auto", "encoding")])
def test_files_excluded_from_gzip_keep_their_names_and_bytes(
    swift: RealSwift, container: str, tmp_path: Path, mode: str, store_as: str, encode: str
) -> None:
    """bulkput upload --gzip-except, verify, --skip identical and --delete-extra: later runs send and remove nothing"""
    packed = subprocess.run(["gzip", "-c"], input=TEXT, capture_output=True, check=True).stdout
    kept = {"a.tar.gz": packed, "d/p.gz": packed * 2, "logs/x": TEXT, "empty.gz": b"", "huge.gz": TEXT * 200}
    others = {"a": TEXT, "a-b": TEXT, "b": TEXT, "d/a.txt": TEXT, "d/a.gz.txt": TEXT, "large": TEXT * 200, "none": b""}
    tree = written(tmp_path / "tree", kept | others)
    url = f"swift://{container}/p"
    flags = ("--gzip", mode, "--gzip-as", store_as, "--gzip-except", "*.gz", "--gzip-except", "/logs/")
    flags += ("--encode-names", encode)
    ran = bulkput("upload", tree, url, *flags, "--json", "--summary", "-", environ=swift.environment)
    assert ran.exit_code == 0, ran.err
    rows, summary = events_and_summary(ran.out)
    assert {name for name, row in rows.items() if row["why"] == "excluded"} == set(map(os.path.basename, kept))
    assert summary["gzip"]["left_alone_by_reason"]["excluded from compression"] == len(kept)
    stored = {name.removeprefix("p/"): content for name, content in stored_in(swift, container).items()}
    suffix = ".gz" if store_as == "suffix" else ""
    assert {name: stored[name] for name in kept} == kept
    assert set(stored) == {*kept, *(name + suffix for name in others)}
    if store_as == "suffix":
        assert {name: zcat(stored[f"{name}.gz"]) for name in others} == others
    for arguments in (("verify", tree, url, *flags), ("verify", "--quick", tree, url, *flags)):
        ran = bulkput(*arguments, environ=swift.environment)
        assert (ran.exit_code, ran.out) == (0, ""), ran.err
        assert ran.err.startswith(f"{len(kept | others)} identical; ")
    mirror = ("upload", tree, url, *flags, "--skip", "identical", "--delete-extra", "--summary", "-")
    ran = bulkput(*mirror, environ=swift.environment)
    assert (ran.exit_code, ran.summary["skipped"], ran.summary.get("removed", 0)) == (0, len(kept | others), 0), ran.err
    assert "PUT" not in ran.summary["requests"]


@pytest.mark.swift
def test_a_mirror_with_gzip_exclusions_removes_only_objects_without_a_file(
    swift: RealSwift, container: str, tmp_path: Path
) -> None:
    """bulkput upload --gzip-as suffix --gzip-except '*.gz' --delete-extra --exclude: filters match file names"""
    files = {"a": TEXT, "b": TEXT, "c.gz": TEXT, "e.gz": TEXT, "keep/f": TEXT, "keep/g.gz": TEXT, "tmp": TEXT}
    tree = written(tmp_path / "tree", files)
    url = f"swift://{container}/p"
    flags = ("--gzip", "always", "--gzip-as", "suffix", "--gzip-except", "*.gz")
    assert bulkput("upload", tree, url, *flags, environ=swift.environment).exit_code == 0
    for name in ("b", "e.gz", "keep/f", "keep/g.gz", "tmp"):
        (tree / name).unlink()
    mirror = ("--skip", "identical", "--delete-extra", "--exclude", "keep/", "--exclude", "tmp", "--summary", "-")
    ran = bulkput("upload", tree, url, *flags, *mirror, environ=swift.environment)
    assert (ran.exit_code, ran.summary["removed"], ran.summary["uploaded"]) == (0, 2, 0), ran.err
    assert sorted(judge(swift).names(container)) == ["p/a.gz", "p/c.gz", "p/keep/f.gz", "p/keep/g.gz", "p/tmp.gz"]
    ran = bulkput("verify", tree, url, *flags, environ=swift.environment)
    assert sorted(ran.out.splitlines()) == ["extra p/keep/f.gz", "extra p/keep/g.gz", "extra p/tmp.gz"]


@pytest.mark.swift
def test_a_file_that_is_newly_excluded_from_gzip_is_sent_again_uncompressed(
    swift: RealSwift, container: str, tmp_path: Path
) -> None:
    """bulkput upload --skip identical --gzip-except: the stored form differs from the wanted one"""
    tree, url = written(tmp_path / "tree", {"a.txt": TEXT, "b.txt": TEXT}), f"swift://{container}"
    assert bulkput("upload", tree, url, "--gzip", "always", environ=swift.environment).exit_code == 0
    skip = ("upload", tree, url, "--gzip", "always", "--skip", "identical", "--summary", "-")
    ran = bulkput(*skip, "--gzip-except", "a.*", environ=swift.environment)
    assert (ran.exit_code, ran.summary["uploaded"], ran.summary["skipped"]) == (0, 1, 1), ran.err
    assert stored_in(swift, container)["a.txt"] == TEXT


@pytest.mark.swift
def test_a_single_excluded_file_gets_exactly_the_destination_name(
    swift: RealSwift, container: str, tmp_path: Path
) -> None:
    """bulkput upload dump.gz swift://c/x.gz --gzip-as suffix --gzip-except '*.gz': no .gz is added or removed"""
    written(tmp_path, {"dump.gz": TEXT})
    flags = ("--gzip", "always", "--gzip-as", "suffix", "--gzip-except", "*.gz")
    for name in ("x.gz", "y", "z/"):
        ran = bulkput("upload", tmp_path / "dump.gz", f"swift://{container}/{name}", *flags, environ=swift.environment)
        assert ran.exit_code == 0, ran.err
    assert stored_in(swift, container) == dict.fromkeys(("x.gz", "y", "z/dump.gz"), TEXT)


def test_a_gzip_except_pattern_that_matches_nothing_is_reported(environ: Mapping[str, str], tmp_path: Path) -> None:
    """bulkput upload --gzip-except '*.GZ': if object names depend on the pattern, even if all files are skipped"""
    tree = written(tmp_path / "tree", {"a.gz": TEXT, "b": TEXT})
    flags = ("--gzip", "always", "--gzip-as", "suffix", "--gzip-except", "*.gz", "--gzip-except", "*.GZ")
    for more in (("--dry-run",), (), ("--skip", "identical")):
        ran = bulkput("upload", tree, "swift://told", *flags, *more, environ=environ)
        assert ran.exit_code == 0, ran.err
        assert [line for line in ran.err.splitlines() if "matched nothing" in line] == [
            "warning: --gzip-except '*.GZ' matched nothing"
        ]
    assert (
        "--gzip-except '*.GZ' matched nothing" in bulkput("verify", tree, "swift://told", *flags, environ=environ).err
    )


@pytest.mark.swift
@pytest.mark.parametrize("destination", ["dump.sql.gz", "dump.sql"])
def test_a_gz_suffix_in_the_destination_is_not_added_twice(
    swift: RealSwift, container: str, tmp_path: Path, destination: str
) -> None:
    """bulkput upload dump.sql swift://c/dump.sql.gz --gzip always --gzip-as suffix"""
    (tmp_path / "dump.sql").write_bytes(content := b"INSERT INTO " * 100)
    ran = bulkput(
        *("upload", tmp_path / "dump.sql", f"swift://{container}/{destination}"),
        *("--gzip", "always", "--gzip-as", "suffix"),
        environ=swift.environment,
    )
    assert (ran.exit_code, judge(swift).names(container)) == (0, ["dump.sql.gz"]), ran.err
    seen = judge(swift).get(container, "dump.sql.gz")
    assert seen is not None and zcat(seen.content) == content


@pytest.mark.nginx
def test_plain_http_refuses_gzip_as_an_encoding(nginx: NginxDav, container: str, tree: Path) -> None:
    """bulkput upload --gzip always without --gzip-as suffix: nginx would serve the compressed bytes; exit 2"""
    ran = bulkput("upload", tree, f"{nginx.url}/{container}/", "--gzip", "always")
    assert ran.exit_code == 2 and ran.err.count("\n") == 1
    assert "plain HTTP keeps no Content-Encoding: use --gzip-as suffix, or swift://" in ran.err
    assert not (nginx.root / container).exists()


@pytest.mark.nginx
@pytest.mark.parametrize("transport", ["wire", "aiohttp"])
def test_plain_http_stores_gzip_files(nginx: NginxDav, container: str, tree: Path, transport: str) -> None:
    """bulkput upload --gzip always --gzip-as suffix: counts the bytes sent, even if the size is unknown before"""
    url = f"{nginx.url}/{container}"
    ran = bulkput(
        *("upload", tree, f"{url}/", "--gzip", "always", "--gzip-as", "suffix", "--transport", transport),
        *("--json", "--summary", "-"),
    )
    assert ran.exit_code == 0, ran.err
    sources = files(tree)
    stored = files(nginx.root / container)
    assert {name.removesuffix(".gz"): zcat(content) for name, content in stored.items()} == sources
    assert all(name.endswith(".gz") for name in stored)
    rows, summary = events_and_summary(ran.out)
    sizes = {name: len(content) for name, content in stored.items()}
    assert {row["key"]: row["bytes"] for row in rows.values()} == sizes
    assert summary["bytes_sent"] == sum(sizes.values())
    assert summary["requests"] == {"OPTIONS": 1, "HEAD": 1, "PUT": len(sources)}
    assert sizes["large.log.gz"] > BUFFER, "or it was not streamed"
    assert curl(f"{url}/large.log.gz") == stored["large.log.gz"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--gzip", "auto", "--gzip-level", "0"), "--gzip-level"),
        (("--gzip", "auto", "--gzip-level", "10"), "--gzip-level"),
        (("--gzip-level", "6"), "--gzip-level, --gzip-as and --gzip-except need --gzip auto or always"),
        (("--gzip-as", "suffix"), "--gzip-level, --gzip-as and --gzip-except need --gzip auto or always"),
        (("--gzip-except", "*.gz"), "--gzip-level, --gzip-as and --gzip-except need --gzip auto or always"),
        (("--gzip", "auto", "--gzip-as", "suffix"), "--gzip-as suffix wants --gzip always: "),
        (("--gzip", "always", "--gzip-except", "!"), "not a gitignore pattern"),
        (("--gzip", "auto", "--header", "Content-Encoding: x"), "--header Content-Encoding and --gzip exclude"),
        (("--gzip", "auto", "--meta", "Source-Md5:x"), "Source-Md5 is what bulkput"),
    ],
)  # fmt: skip
def test_wrong_gzip_arguments_get_one_sentence(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    """bulkput upload with wrong gzip arguments: exit 2, no request"""
    (tmp_path / "a").write_text("a")
    nobody = {"ST_AUTH": "http://127.0.0.1:1/auth/v1.0", "ST_USER": "u", "ST_KEY": "k"}
    ran = bulkput("upload", tmp_path, "swift://c", *arguments, environ=nobody)
    assert (ran.exit_code, ran.out) == (2, "")
    assert says in ran.err.splitlines()[-1] and "Traceback" not in ran.err
