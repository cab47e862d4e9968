"""Large files and pipes, to a real Swift and a real Ceph RGW, checked with rclone and the swift client."""

import gzip
import hashlib
import json
import os
import random
import shlex
import subprocess
import sys
import uuid
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.changes_relay import Asked, PassOn, Said, relay
from tests.e2e.cli import Ran, bulkput
from tests.servers.swift import SCRIPT, RealSwift

pytestmark = [pytest.mark.timeout(180)]
SWIFT_CLIENT = SCRIPT.parents[1] / ".tools" / "swift-venv" / "bin" / "swift"
KIB = 1024
IN_PARTS = ("--segment-above", "64K", "--segment-size", "256K")


@pytest.fixture(scope="module")
def server(swift_or_rgw: RealSwift) -> RealSwift:
    return swift_or_rgw


@pytest.fixture
def container() -> str:
    """The name of a container that does not exist yet."""
    return f"large-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def content() -> bytes:
    """Eleven parts and a bit."""
    return random.Random(4).randbytes(11 * 256 * KIB + 77)


@pytest.fixture
def tree(tmp_path: Path, content: bytes) -> Path:
    """A directory with a large file and a small one."""
    root = tmp_path / "tree"
    root.mkdir()
    (root / "large ünï.bin").write_bytes(content)
    (root / "small").write_bytes(b"small")
    return root


def downloaded(server: RealSwift, container: str, name: str) -> bytes:
    """The object as python-swiftclient reads it."""
    command = [str(SWIFT_CLIENT), "-q", "download", container, name, "--output", "-"]
    return subprocess.run(
        command, env={**os.environ, **server.environment}, check=True, capture_output=True, timeout=60
    ).stdout


def read_by_a_stranger(server: RealSwift, path: str) -> bytes:
    """What curl gets without a token. `path` is CONTAINER/OBJECT, percent-encoded."""
    environ = {**os.environ, **server.environment}
    asked = subprocess.run([str(SWIFT_CLIENT), "auth"], env=environ, check=True, capture_output=True, text=True)
    storage_url = asked.stdout.split("OS_STORAGE_URL=")[1].split()[0]
    return subprocess.run(["curl", "-sf", f"{storage_url}/{path}"], check=True, capture_output=True).stdout


def piped(server: RealSwift, command: str, *arguments: str | Path) -> Ran:
    """Runs COMMAND in bash; there `bulkput` is the command, and "$@" are the arguments."""
    script = f'bulkput() {{ "{sys.executable}" -m bulkput "$@"; }}; {command}'
    done = subprocess.run(
        ["bash", "-c", script, "bash", *map(str, arguments)],
        env={**os.environ, **server.environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr)


def listed(server: RealSwift, container: str) -> list[str]:
    return bulkput("ls", "-r", f"swift://{container}", environ=server.environment).out.splitlines()


def test_a_large_file_is_stored_in_parts_and_others_read_it_whole(
    server: RealSwift, container: str, tree: Path, content: bytes
) -> None:
    """bulkput upload --segment-size 256K TREE, then rclone check --download, swift download"""
    url = f"swift://{container}/p"
    sent = bulkput("upload", tree, url, *IN_PARTS, "--summary", "-", environ=server.environment)
    assert sent.exit_code == 0, sent.err
    assert sent.summary["large"] == {
        "sent": 1, "unfinished": 0, "parts_sent": 12, "parts_found": 0, "parts_left": 0, "bytes_left": 0,
        "parts_abandoned": 0, "uploads_abandoned": 0,
    }  # fmt: skip
    assert sent.summary["bytes_sent"] == len(content) + 5
    assert downloaded(server, container, "p/large ünï.bin") == content

    environ = {"RCLONE_CONFIG": os.devnull, "RCLONE_SWIFT_AUTH": server.auth_url}
    environ |= {"RCLONE_SWIFT_USER": server.user, "RCLONE_SWIFT_KEY": server.key}
    judged = subprocess.run(
        ["rclone", "check", "--download", str(tree), f":swift:{container}/p"],
        env={**os.environ, **environ}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert judged.returncode == 0, judged.stderr
    assert "2 matching files" in judged.stderr

    (row,) = [
        row
        for row in bulkput("ls", "--json", f"{url}/", environ=server.environment).rows
        if row["name"] == "p/large ünï.bin"
    ]
    assert row["bytes"] == len(content)


def test_the_same_command_again_sends_no_part(server: RealSwift, container: str, tree: Path, content: bytes) -> None:
    """bulkput upload TREE, twice: without a journal the file is read, and compared with the parts"""
    url, environ = f"swift://{container}/", server.environment
    assert bulkput("upload", tree, url, *IN_PARTS, environ=environ).exit_code == 0
    again = bulkput("upload", tree, url, *IN_PARTS, "--summary", "-", environ=environ)
    assert again.exit_code == 0, again.err
    assert (again.summary["large"]["parts_sent"], again.summary["large"]["parts_found"]) == (0, 12)
    assert again.summary["bytes_sent"] == 5
    assert "overwritten" not in again.err
    assert downloaded(server, container, "large ünï.bin") == content


def test_another_version_of_the_file_uses_no_part_of_the_first(
    server: RealSwift, container: str, tree: Path, content: bytes
) -> None:
    """bulkput upload TREE, write to the file, bulkput upload TREE: the segments of the first stay, and are named"""
    url, environ = f"swift://{container}/", server.environment
    assert bulkput("upload", tree, url, *IN_PARTS, environ=environ).exit_code == 0
    before = set(listed(server, f"{container}_segments"))
    (tree / "large ünï.bin").write_bytes(content[::-1])
    again = bulkput("upload", tree, url, *IN_PARTS, "--summary", "-", environ=environ)
    assert again.exit_code == 0, again.err
    assert again.summary["large"]["parts_sent"] == 12
    assert downloaded(server, container, "large ünï.bin") == content[::-1]
    left, segments = again.summary["segments_left"], f"{container}_segments/"
    if left["below"]:  # a dynamic large object
        (below,) = left["below"]
        assert {
            name for name in listed(server, f"{container}_segments") if (segments + name).startswith(below)
        } == before
    else:
        assert {name.removeprefix(segments) for name in left["names"]} == before


@pytest.mark.parametrize("skip", ["unchanged", "identical"])
def test_a_large_file_that_is_there_is_skipped(server: RealSwift, container: str, tree: Path, skip: str) -> None:
    """bulkput upload --skip MODE TREE, bulkput verify TREE"""
    url, environ = f"swift://{container}/", server.environment
    assert bulkput("upload", tree, url, *IN_PARTS, environ=environ).exit_code == 0
    again = bulkput("upload", tree, url, *IN_PARTS, "--skip", skip, "--summary", "-", environ=environ)
    assert (again.summary["uploaded"], again.summary["skipped"]) == (0, 2), again.err
    assert bulkput("verify", tree, url, environ=environ).exit_code == 0


def test_a_large_file_is_sent_compressed_in_parts(server: RealSwift, container: str, tmp_path: Path) -> None:
    """bulkput upload --gzip always FILE; swift download | zcat; bulkput verify --gzip always"""
    text = b"".join(hashlib.sha256(b"%d" % number).hexdigest().encode() for number in range(60_000))
    (tmp_path / "text").write_bytes(text)
    url, environ = f"swift://{container}/text", server.environment
    for found in (0, None):
        sent = bulkput(
            "upload", tmp_path / "text", url, *IN_PARTS, "--gzip", "always", "--summary", "-", environ=environ
        )
        assert sent.exit_code == 0, sent.err
        assert sent.summary["large"]["sent"] == 1
        assert (sent.summary["large"]["parts_found"] == 0) == (found == 0)
    assert sent.summary["large"]["parts_sent"] == 0
    assert gzip.decompress(downloaded(server, container, "text")) == text
    assert bulkput("verify", tmp_path / "text", url, "--gzip", "always", environ=environ).exit_code == 0


def test_parts_of_one_byte_are_parts(server: RealSwift, container: str, tmp_path: Path) -> None:
    """bulkput upload --segment-above 1 --segment-size 1 FILE"""
    (tmp_path / "file").write_bytes(b"bulkput")
    url = f"swift://{container}/file"
    sent = bulkput(
        "upload", tmp_path / "file", url, "--segment-above", "1", "--segment-size", "1", environ=server.environment
    )
    assert sent.exit_code == 0, sent.err
    assert downloaded(server, container, "file") == b"bulkput"
    assert len(listed(server, f"{container}_segments")) == 7


def test_a_dynamic_large_object_is_read_whole(
    server: RealSwift, container: str, tree: Path, content: bytes, tmp_path: Path
) -> None:
    """bulkput upload --large dlo TREE, with the segments in a container of another name"""
    url, environ = f"swift://{container}/", server.environment
    options = (*IN_PARTS, "--large", "dlo", "--segment-container", f"{container} parts")
    sent = bulkput("upload", tree, url, *options, environ=environ)
    assert sent.exit_code == 0, sent.err
    assert downloaded(server, container, "large ünï.bin") == content
    assert len(listed(server, f"{container} parts")) == 12
    again = bulkput("upload", tree, url, *options, "--summary", "-", environ=environ)
    assert again.summary["large"]["parts_found"] == 12, again.err


@pytest.mark.parametrize("size", [0, 5, 256 * KIB, 256 * KIB + 1, 1_000_003])
def test_what_comes_from_stdin_is_one_object(
    server: RealSwift, container: str, tmp_path: Path, content: bytes, size: int
) -> None:
    """cat FILE | bulkput upload --segment-size 256K - swift://c/name: in one request if it fits one part"""
    (tmp_path / "file").write_bytes(content[:size])
    ran = piped(
        server, 'cat "$1" | bulkput upload --segment-size 256K --summary - - "$2"', tmp_path / "file",
        f"swift://{container}/name",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.err
    assert ("large" in ran.summary) == (size > 256 * KIB)
    assert (ran.summary["bytes_read"], ran.summary["bytes_sent"]) == (size, size)
    if size <= 256 * KIB:
        assert ran.summary["requests"]["PUT"] == 2  # the container, and the object
    assert downloaded(server, container, "name") == content[:size]


@pytest.mark.parametrize(
    "command",
    [
        'bulkput upload --segment-size 256K <(cat "$1") "$2"',
        'mkfifo "$1.fifo"; cat "$1" > "$1.fifo" & bulkput upload --segment-size 256K "$1.fifo" "$2"',
        'bulkput upload --segment-size 256K /dev/stdin "$2" < <(cat "$1")',
    ],
    ids=["process substitution", "named pipe", "/dev/stdin"],
)
def test_other_pipes_are_read_like_stdin(
    server: RealSwift, container: str, tmp_path: Path, content: bytes, command: str
) -> None:
    """To their end, as one object."""
    (tmp_path / "file").write_bytes(content)
    ran = piped(server, command, tmp_path / "file", f"swift://{container}/name")
    assert ran.exit_code == 0, ran.err
    assert downloaded(server, container, "name") == content


def test_a_pipe_is_sent_compressed(server: RealSwift, container: str, tmp_path: Path, content: bytes) -> None:
    """cat FILE | bulkput upload --gzip always --expect-md5 MD5 - swift://c/name; swift download | zcat"""
    (tmp_path / "file").write_bytes(content)
    command = 'cat "$1" | bulkput upload --segment-size 256K --gzip always --expect-md5 "$3" - "$2"'
    ran = piped(server, command, tmp_path / "file", f"swift://{container}/name", hashlib.md5(content).hexdigest())
    assert ran.exit_code == 0, ran.err
    assert gzip.decompress(downloaded(server, container, "name")) == content


@pytest.mark.parametrize(
    ("expected", "why"),
    [
        (("--expect-size", "3M"), "ended after 2883661 bytes, and --expect-size says 3145728"),
        (("--expect-size", "1M"), "more than the 1048576 bytes of --expect-size"),
        (("--expect-md5", "0" * 32), "and --expect-md5 says 0000"),
    ],
)
def test_a_pipe_that_does_not_give_what_is_expected_leaves_nothing(
    server: RealSwift, container: str, tmp_path: Path, content: bytes, expected: tuple[str, str], why: str
) -> None:
    """cat FILE | bulkput upload --expect-size SIZE - swift://c/name: exit 1, no object and no segments"""
    (tmp_path / "file").write_bytes(content)
    command = 'cat "$1" | bulkput upload --segment-size 256K "$3" "$4" - "$2"'
    ran = piped(server, command, tmp_path / "file", f"swift://{container}/name", *expected)
    assert ran.exit_code == 1
    assert why in ran.err
    assert listed(server, container) == listed(server, f"{container}_segments") == []


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ('bulkput upload - "$1/"', "- is a pipe and has no name: give the object's, as in swift://c/NAME"),
        ('bulkput upload - "$1"', "- is a pipe and has no name: give the object's, as in swift://c/NAME"),
        ('bulkput upload - /etc/hostname "$1/"', "- is a pipe: it has to be the only source"),
        ('bulkput upload - "$1/x" <&-', "standard input is closed: there is nothing to read from -"),
        ('bulkput upload --journal j.db - "$1/x"', "--journal, --skip, --delete-extra and --expire-extra need files"),
        ('bulkput upload --skip existing - "$1/x"', "--journal, --skip, --delete-extra and --expire-extra need files"),
        ('bulkput upload --expect-size 5 /etc/hostname "$1/x"', "are for a pipe: no source is one"),
        ('bulkput upload --expect-md5 5 - "$1/x"', "is an MD5 in hex, 32 digits, not '5'"),
    ],
)
@pytest.mark.swift
def test_what_a_pipe_cannot_have_is_said_before_it_is_read(
    swift: RealSwift, tmp_path: Path, command: str, why: str
) -> None:
    """One sentence, exit 2, and no journal is made."""
    ran = piped(swift, f"cd {shlex.quote(str(tmp_path))}; {command}", "swift://c")
    assert (ran.exit_code, len(ran.err.splitlines())) == (2, 1)
    assert why in ran.err
    assert not list(tmp_path.iterdir())


@pytest.mark.swift
def test_a_dry_run_says_how_a_file_would_be_cut(swift: RealSwift, container: str, tree: Path) -> None:
    """bulkput upload --dry-run TREE"""
    ran = bulkput("upload", "--dry-run", tree, f"swift://{container}/", *IN_PARTS, environ=swift.environment)
    assert "large ünï.bin (2.8 MiB, in 12 parts of 256.0 KiB)" in ran.out
    ran = bulkput("upload", "--dry-run", "--json", tree, f"swift://{container}/", *IN_PARTS, environ=swift.environment)
    (row,) = [row for line in ran.out.splitlines() if "parts" in (row := json.loads(line))]
    assert (row["parts"], row["part_bytes"]) == (12, 256 * KIB)


@pytest.mark.swift
def test_segments_can_be_read_by_those_who_can_read_their_object(
    swift: RealSwift, container: str, tree: Path, content: bytes
) -> None:
    """swift post -r .r:* c; bulkput upload TREE swift://c: a stranger reads the large object"""
    environ = {**os.environ, **swift.environment}
    subprocess.run([str(SWIFT_CLIENT), "post", "-r", ".r:*", container], env=environ, check=True)
    assert bulkput("upload", tree, f"swift://{container}/p", *IN_PARTS, environ=swift.environment).exit_code == 0
    assert read_by_a_stranger(swift, f"{container}/p/large%20%C3%BCn%C3%AF.bin") == content


def test_segments_of_an_overwritten_object_are_removed_on_request(
    server: RealSwift, container: str, tree: Path, content: bytes
) -> None:
    """bulkput upload TREE, write to the file, bulkput upload --reap-segments TREE"""
    url, environ = f"swift://{container}/", server.environment
    assert bulkput("upload", tree, url, *IN_PARTS, environ=environ).exit_code == 0
    before = set(listed(server, f"{container}_segments"))
    (tree / "large ünï.bin").write_bytes(content[::-1])
    again = bulkput("upload", tree, url, *IN_PARTS, "--reap-segments", "--summary", "-", environ=environ)
    assert again.exit_code == 0, again.err
    assert again.summary["segments_removed"] == 12
    assert "segments_left" not in again.summary
    assert not before & set(listed(server, f"{container}_segments"))
    assert downloaded(server, container, "large ünï.bin") == content[::-1]


def test_segments_that_a_copy_reads_stay(server: RealSwift, container: str, tree: Path, content: bytes) -> None:
    """bulkput upload TREE, bulkput cp, write to the file, bulkput upload --reap-segments TREE: nothing is in doubt"""
    url, environ = f"swift://{container}/", server.environment
    assert bulkput("upload", tree, url, *IN_PARTS, environ=environ).exit_code == 0
    copied = bulkput("cp", f"{url}large ünï.bin", f"swift://{container}-copy/x", environ=environ)
    assert copied.exit_code == 0, copied.err
    (tree / "large ünï.bin").write_bytes(content[::-1])
    again = bulkput("upload", tree, url, *IN_PARTS, "--reap-segments", "--summary", "-", environ=environ)
    assert again.exit_code == 0, again.err
    assert "segments_removed" not in again.summary
    assert downloaded(server, container, "large ünï.bin") == content[::-1]
    assert downloaded(server, f"{container}-copy", "x") == content


@pytest.mark.parametrize(("days", "posts"), [(0, 0), (9, 1)])
def test_old_parts_are_made_young_before_they_are_used(
    server: RealSwift, container: str, tree: Path, content: bytes, days: int, posts: int
) -> None:
    """bulkput upload TREE again after nine days: `bulkput segments --reap` may run at the same time"""

    def later(asked: Asked, pass_on: PassOn) -> Said:
        said = pass_on(asked)
        if asked.method == "GET" and f"{container}_segments" in asked.path and said.status == 200:
            rows = json.loads(said.body)
            for row in rows:
                moment = datetime.fromisoformat(row["last_modified"].removesuffix("Z")) - timedelta(days=days)
                row["last_modified"] = moment.isoformat(timespec="microseconds")
            said.body = json.dumps(rows).encode()
        return said

    url = f"swift://{container}/"
    assert bulkput("upload", tree, url, *IN_PARTS, environ=server.environment).exit_code == 0
    with relay(server.auth_url, later) as relayed:
        environ = {**server.environment, "ST_AUTH": relayed.auth_url}
        again = bulkput("upload", tree, url, *IN_PARTS, "--summary", "-", environ=environ)
        assert again.exit_code == 0, again.err
        assert relayed.count("POST") == posts
    assert again.summary["large"]["parts_found"] == 12
    assert downloaded(server, container, "large ünï.bin") == content


@pytest.mark.swift
@pytest.mark.parametrize(("flags", "code"), [((), 0), (("--fail-if-empty",), 1)])
def test_an_empty_pipe_is_told(
    swift: RealSwift, container: str, tmp_path: Path, flags: tuple[str, ...], code: int
) -> None:
    """: | bulkput upload - swift://c/name: a program that dies at its start gives nothing"""
    ran = piped(swift, ': | bulkput upload - "$@"', *flags, f"swift://{container}/name")
    assert ran.exit_code == code, ran.err
    assert "gave no bytes" in ran.err
    assert listed(swift, container) == (["name"] if code == 0 else [])


@pytest.mark.swift
def test_a_length_that_no_object_can_have_is_refused_before_the_pipe_is_read(swift: RealSwift, container: str) -> None:
    """yes | bulkput upload --expect-size 10T -"""
    ran = piped(swift, 'yes | bulkput upload --expect-size 10T - "$1"', f"swift://{container}/name")
    assert ran.exit_code == 1
    assert "--expect-size: the store takes 5368709122000 bytes" in ran.err


@pytest.mark.swift
def test_copied_segments_can_be_read_by_those_who_can_read_the_copy(
    swift: RealSwift, container: str, tree: Path, content: bytes
) -> None:
    """swift post -r .r:* to; bulkput cp --with-segments swift://c/x swift://to/x: a stranger reads the copy"""
    environ = {**os.environ, **swift.environment}
    assert bulkput("upload", tree, f"swift://{container}/", *IN_PARTS, environ=swift.environment).exit_code == 0
    subprocess.run([str(SWIFT_CLIENT), "post", "-r", ".r:*", f"{container}-to"], env=environ, check=True)
    urls = (f"swift://{container}/large ünï.bin", f"swift://{container}-to/x")
    assert bulkput("cp", "--with-segments", *urls, environ=swift.environment).exit_code == 0
    assert read_by_a_stranger(swift, f"{container}-to/x") == content
