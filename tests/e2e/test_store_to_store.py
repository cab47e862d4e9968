"""`bulkput upload URL DEST` between a real OpenStack Swift, the S3 of a real Ceph RGW, and a real nginx.

Sources are made, and copies read, by other clients: the standard library's and boto3.
"""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests.e2e.store_pair import MIB, Pair, noise
from tests.servers.judge import S3Judge
from tests.servers.nginx import NginxDav
from tests.servers.wsgidav import WsgiDav

pytestmark = [pytest.mark.rgw, pytest.mark.swift]
_LOOKS = 6
"""GETs of a run from Swift beside those of objects: two logins with their answers, and pages of listings."""
ODD = ("a b/ü%41?#.txt", "a b/-", "z")
FIELDS = {
    "Content-Type": "text/x-own",
    "Content-Disposition": "inline",
    "Cache-Control": "no-cache",
    "X-Object-Meta-Color": "red",
    "X-Object-Meta-Mtime": "1700000000.123456789",
}


def test_objects_of_swift_become_objects_of_s3_with_their_headers(pair: Pair) -> None:
    """Small ones, larger ones, empty ones; one GET and one PUT for each small one."""
    contents = {name: noise(100 + number, number) for number, name in enumerate(ODD)}
    contents["larger"] = noise(3 * MIB)
    contents["empty"] = b""
    for name, content in contents.items():
        pair.judge.put(pair.container, f"x/{name}", content, fields=FIELDS)
    pair.judge.put(pair.container, "xy", b"not below x/")
    ran = pair.to_s3("--summary", "-")
    assert ran.exit_code == 0, ran.err
    for name, content in contents.items():
        assert pair.in_s3(f"y/{name}") == content
        head = pair.client.head_object(Bucket=pair.bucket, Key=f"y/{name}")
        assert (head["ContentType"], head["ContentDisposition"], head["CacheControl"]) == (
            "text/x-own",
            "inline",
            "no-cache",
        )
        assert head["Metadata"] == {"color": "red", "mtime": "1700000000.123456789"}
    assert len(S3Judge(pair.s3).names(pair.bucket)) == len(contents)
    requests = ran.summary["requests"]
    assert (requests["PUT"], requests["GET"]) == (len(contents), len(contents) - 1 + _LOOKS), ran.summary


def test_objects_of_s3_become_objects_of_swift_with_their_headers(pair: Pair) -> None:
    contents = {name: noise(100 + number, number) for number, name in enumerate(ODD)}
    contents["larger"] = noise(3 * MIB)
    for name, content in contents.items():
        pair.client.put_object(
            Bucket=pair.bucket,
            Key=f"x/{name}",
            Body=content,
            ContentType="text/x-own",
            ContentEncoding="gzip",
            CacheControl="no-cache",
            Metadata={"color": "red"},
        )
    ran = pair.to_swift()
    assert ran.exit_code == 0, ran.err
    for name, content in contents.items():
        seen = pair.judge.get(pair.container, f"y/{name}")
        assert seen is not None and seen.content == content
        assert seen.headers["Content-Type"] == "text/x-own"
        assert seen.headers["Content-Encoding"] == "gzip"
        assert seen.headers["Cache-Control"] == "no-cache"
        assert seen.headers["X-Object-Meta-Color"] == "red"
        assert float(seen.headers["X-Object-Meta-Mtime"]) > 1_700_000_000, "when it was stored there"


def test_a_single_object_takes_the_destinations_name(pair: Pair) -> None:
    pair.judge.put(pair.container, "x/one.txt", b"one")
    assert pair.to_s3(source="x/one.txt", to="named").exit_code == 0
    assert pair.to_s3(source="x/one.txt", to="d/").exit_code == 0
    assert pair.in_s3("named") == pair.in_s3("d/one.txt") == b"one"


@pytest.mark.parametrize("mode", ["existing", "unchanged", "identical"])
def test_what_is_there_is_skipped(pair: Pair, mode: str) -> None:
    """By two listings: neither a GET nor a PUT of an object."""
    for number in range(5):
        pair.judge.put(pair.container, f"x/{number}", noise(50, number))
    assert pair.to_s3("--skip", mode).exit_code == 0
    pair.judge.put(pair.container, "x/2", noise(50, 99))
    again = pair.to_s3("--skip", mode, "--summary", "-")
    assert again.exit_code == 0, again.err
    assert again.summary["uploaded"] == (0 if mode == "existing" else 1)
    assert pair.in_s3("y/2") == noise(50, 2 if mode == "existing" else 99)


def test_a_mirror_removes_objects_that_the_source_has_not(pair: Pair) -> None:
    for name in ("a", "b"):
        pair.judge.put(pair.container, f"x/{name}", b"1")
    pair.client.put_object(Bucket=pair.bucket, Key="y/extra", Body=b"1")
    pair.client.put_object(Bucket=pair.bucket, Key="beside", Body=b"1")
    ran = pair.to_s3("--skip", "identical", "--delete-extra")
    assert ran.exit_code == 0, ran.err
    assert S3Judge(pair.s3).names(pair.bucket) == ["beside", "y/a", "y/b"]


def test_a_journal_knows_the_versions_that_are_copied(pair: Pair, tmp_path: Path) -> None:
    """An object that is overwritten since is sent again, and no other."""
    for number in range(5):
        pair.judge.put(pair.container, f"x/{number}", noise(50, number))
    pair.put_static("x/large", noise(5 * MIB, 1), noise(100, 2))
    journal = ("--journal", str(tmp_path / "j.db"))
    assert pair.to_s3(*journal).exit_code == 0
    again = pair.to_s3(*journal, "--summary", "-")
    assert (again.exit_code, again.summary["uploaded"]) == (0, 0), again.err
    pair.judge.put(pair.container, "x/2", noise(50, 99))
    third = pair.to_s3(*journal, "--summary", "-")
    assert (third.exit_code, third.summary["uploaded"]) == (0, 1), third.err
    assert pair.in_s3("y/2") == noise(50, 99)
    other = pair.to_s3(*journal, source="z/")
    assert other.exit_code == 2


def test_files_of_a_web_server_become_objects(pair: Pair, nginx: NginxDav) -> None:
    """Single ones: plain HTTP has no listing. A larger one in parts, each a range of one version."""
    content = noise(11 * MIB)
    (nginx.root / "web.bin").write_bytes(content)
    (nginx.root / "small.txt").write_bytes(b"small")
    ran = pair("--segment-above", "5M", "--segment-size", "5M", f"{nginx.url}/web.bin", f"s3://{pair.bucket}/w/")
    assert ran.exit_code == 0, ran.err
    assert pair.in_s3("w/web.bin") == content
    assert pair(f"{nginx.url}/small.txt", f"swift://{pair.container}/w/").exit_code == 0
    assert pair.judge.content(pair.container, "w/small.txt") == b"small"


def test_objects_become_files_of_a_web_server(pair: Pair, nginx: NginxDav) -> None:
    """What plain HTTP does not keep is told once; an encoding, without which nobody can read it, fails the object."""
    place = f"s2s-{uuid.uuid4().hex[:8]}"
    pair.judge.put(pair.container, "x/a b.txt", b"1", fields={"X-Object-Meta-Color": "red"})
    pair.judge.put(pair.container, "x/larger", noise(3 * MIB), fields={"X-Object-Meta-Color": "red"})
    ran = pair(f"swift://{pair.container}/x/", f"{nginx.url}/{place}/")
    assert ran.exit_code == 0, ran.err
    assert ran.err.count("which the destination does not keep") == 1
    assert (nginx.root / place / "a b.txt").read_bytes() == b"1"
    assert (nginx.root / place / "larger").read_bytes() == noise(3 * MIB)
    pair.judge.put(pair.container, "x/packed", b"1", fields={"Content-Encoding": "gzip"})
    failed = pair(f"swift://{pair.container}/x/packed", f"{nginx.url}/{place}/")
    assert failed.exit_code == 1 and "Content-Encoding" in failed.err


@pytest.mark.parametrize(
    ("source", "flags", "said"),
    [
        ("swift://{c}/absent", (), "no such object"),
        ("swift://{c}-absent/x/", (), "no container"),
        ("swift://{c}/both", (), "others are below it"),
        ("swift://{c}/x/", ("--gzip", "auto"), "is for files"),
        ("http://127.0.0.1:9/x/", (), "name a single object"),
        ("swift://{c}/y/", (), "no such object"),
    ],
)
def test_a_source_that_cannot_be_is_one_sentence(pair: Pair, source: str, flags: tuple[str, ...], said: str) -> None:
    pair.judge.put(pair.container, "both", b"")
    pair.judge.put(pair.container, "both", b"1")
    pair.judge.put(pair.container, "both/below", b"1")
    ran = pair(*flags, source.format(c=pair.container), f"s3://{pair.bucket}/y/")
    assert (ran.exit_code, said in ran.err) == (2, True), ran.err
    assert S3Judge(pair.s3).names(pair.bucket) == []


def test_a_copy_into_its_own_source_is_refused(pair: Pair) -> None:
    pair.judge.put(pair.container, "x/a", b"1")
    ran = pair(f"swift://{pair.container}/x/", f"swift://{pair.container}/x/y/")
    assert ran.exit_code == 2 and "would read what it writes" in ran.err


def test_links_stay_links(pair: Pair) -> None:
    """To the copies of what they lead to, or to the same object if that is not copied; a second run skips them."""
    pair.judge.put(pair.container, "x/target", b"content")
    pair.judge.put(pair.container, "elsewhere", b"other")
    for name, target in (("x/in", "x/target"), ("x/out", "elsewhere")):
        pair.judge.put(pair.container, name, fields={"X-Symlink-Target": f"{pair.container}/{target}"})
    to = f"{pair.container}-copy"
    source, destination = f"swift://{pair.container}/x/", f"swift://{to}/y/"
    ran = pair(source, destination)
    assert ran.exit_code == 0, ran.err
    links = {row["name"]: row["symlink_path"].split("/", 3)[-1] for row in pair.judge.rows(to) if "symlink_path" in row}
    assert links == {"y/in": f"{to}/y/target", "y/out": f"{pair.container}/elsewhere"}
    assert pair.judge.content(to, "y/in") == b"content"
    again = pair("--skip", "identical", "--summary", "-", source, destination)
    assert (again.exit_code, again.summary["uploaded"]) == (0, 0), again.err


def test_links_become_objects_where_there_are_no_links(pair: Pair) -> None:
    """A warning says so, once."""
    pair.judge.put(pair.container, "x/target", noise(2 * MIB))
    for name in ("x/a", "x/b"):
        pair.judge.put(pair.container, name, fields={"X-Symlink-Target": f"{pair.container}/x/target"})
    ran = pair.to_s3()
    assert ran.exit_code == 0, ran.err
    assert pair.in_s3("y/a") == pair.in_s3("y/b") == noise(2 * MIB)
    assert ran.err.count("links that are not kept by the destination become objects") == 1


def test_a_list_names_objects_below_a_url(pair: Pair, nginx: NginxDav, tmp_path: Path) -> None:
    """By names, or by URLs; one request for each small file. What the journal has is not asked for again."""
    place = f"s2s-{uuid.uuid4().hex[:8]}"
    contents = {f"d{number}/a b{number}": noise(100, number) for number in range(5)} | {"large": noise(3 * MIB)}
    for name, content in contents.items():
        (nginx.root / place / name).parent.mkdir(parents=True, exist_ok=True)
        (nginx.root / place / name).write_bytes(content)
    base = f"{nginx.url}/{place}/"
    lines = ["d0/a b0", "d1/a b1", *(f"{base}d{number}/a%20b{number}" for number in range(1, 5)), "large"]
    (tmp_path / "list").write_text("\n".join(lines))
    journal = ("--journal", str(tmp_path / "j.db"), "--summary", "-")
    command = (*journal, "--files-from", str(tmp_path / "list"), "--base", base, f"s3://{pair.bucket}/y/")
    ran = pair(*command)
    assert (ran.exit_code, ran.summary["uploaded"]) == (0, 6), ran.err
    for name, content in contents.items():
        assert pair.in_s3(f"y/{name}") == content
    again = pair(*command)
    assert (again.exit_code, again.summary["uploaded"]) == (0, 0), again.err
    (tmp_path / "list").write_text("absent\nhttps://example.org/x\nd0/a b0")
    failed = pair(*command)
    assert (failed.exit_code, failed.summary["failed"]) == (1, 2), failed.err
    assert "vanished" in failed.err and "is not below the base" in failed.err


def test_a_dry_run_reads_listings_only(pair: Pair) -> None:
    pair.judge.put(pair.container, "x/a", b"1")
    ran = pair.to_s3("--dry-run")
    assert (ran.exit_code, "y/a" in ran.out) == (0, True), ran.err
    assert S3Judge(pair.s3).names(pair.bucket) == []


def test_filters_rules_and_the_order_hold_for_objects(pair: Pair, tmp_path: Path) -> None:
    """An excluded directory is not entered; what a rule gives replaces what the object has; `--last` comes last."""
    for name in ("index.html", "a.css", "left/b.css", "c.tmp"):
        pair.judge.put(pair.container, f"x/{name}", b"1", fields={"Cache-Control": "no-cache", "Content-Type": "a/b"})
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nmatch = "*.css"\ncache-control = "max-age=9"\ncontent-type = "text/x-ruled"\n')
    filters = ("--exclude", "left/", "--exclude", "*.tmp", "--rules", str(rules), "--last", "*.html")
    ran = pair.to_s3(*filters, "--json")
    assert ran.exit_code == 0, ran.err
    uploaded = [row["key"] for row in ran.rows if row["event"] == "uploaded"]
    assert uploaded == ["y/a.css", "y/index.html"]
    heads = [pair.client.head_object(Bucket=pair.bucket, Key=key) for key in uploaded]
    assert [(head["CacheControl"], head["ContentType"]) for head in heads] == [
        ("max-age=9", "text/x-ruled"),
        ("no-cache", "a/b"),
    ]


@pytest.mark.parametrize(
    ("mode", "exit_code", "uploaded"), [("fail", 1, 1), ("skip", 0, 1), ("differs", 1, 1), ("replace", 0, 3)]
)
def test_an_object_that_is_there_is_kept_if_that_is_asked_for(
    pair: Pair, mode: str, exit_code: int, uploaded: int
) -> None:
    for name in ("new", "same", "other"):
        pair.judge.put(pair.container, f"x/{name}", name.encode())
    for name, content in (("same", b"same"), ("other", b"another")):
        pair.client.put_object(Bucket=pair.bucket, Key=f"y/{name}", Body=content)
    ran = pair.to_s3("--if-exists", mode, "--summary", "-")
    assert (ran.exit_code, ran.summary["uploaded"]) == (exit_code, uploaded), ran.err
    assert (pair.in_s3("y/other") == b"another") is (mode != "replace")


def test_a_link_does_not_replace_what_is_to_be_kept(pair: Pair) -> None:
    pair.judge.put(pair.container, "x/target", b"content")
    pair.judge.put(pair.container, "x/link", fields={"X-Symlink-Target": f"{pair.container}/x/target"})
    to = f"{pair.container}-copy"
    pair.judge.put(to, "")
    pair.judge.put(to, "y/link", b"kept")
    ran = pair("--if-exists", "skip", "--summary", "-", f"swift://{pair.container}/x/", f"swift://{to}/y/")
    assert (ran.exit_code, ran.summary["uploaded"]) == (0, 1), ran.err
    assert pair.judge.content(to, "y/link") == b"kept"


def test_a_temporary_url_is_no_source_and_stays_secret(pair: Pair) -> None:
    url = f"{pair.judge.storage_url}/{pair.container}/a?temp_url_sig=5e c&temp_url_expires=99999999999".replace(" ", "")
    for flags in ((), ("--gzip", "auto")):
        ran = pair(*flags, url, f"s3://{pair.bucket}/y/")
        assert ran.exit_code == 2 and "5ec" not in ran.err + ran.out, ran.err


def test_markers_of_directories_become_directories_of_webdav(pair: Pair, webdav: WsgiDav) -> None:
    """As files they would be in the way of what is below them."""
    place = f"s2s-{uuid.uuid4().hex[:8]}"
    pair.judge.put(pair.container, "x/d", fields={"Content-Type": "application/directory"})
    pair.judge.put(pair.container, "x/d/a", b"1")
    ran = pair(f"swift://{pair.container}/x/", f"{webdav.url}/{place}/")
    assert ran.exit_code == 0, ran.err
    assert (webdav.root / place / "d" / "a").read_bytes() == b"1"
