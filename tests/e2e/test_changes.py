"""`bulkput cp`, `mv` and `rm` on a real Swift and a real Ceph RGW. Each docstring begins with the command that the test
covers.

The first test runs its command in a process of its own; the others run theirs in this process.
"""

import asyncio
import json
import uuid
from collections.abc import Mapping
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from bulkput.engine.open_store import connected
from bulkput.model import ObjectHeaders
from bulkput.payload.in_memory import BytesBody
from bulkput.testing.given import HOSTILE_NAMES
from tests.e2e.cli import Bulkput
from tests.e2e.cli import bulkput as in_a_process
from tests.servers.judge import SwiftJudge
from tests.servers.nginx import NginxDav
from tests.servers.rgw import RealRgw
from tests.servers.swift import RealSwift

pytestmark = [pytest.mark.timeout(180)]
NAMES = ("a/one", "a/b/two", "a/ü #?%.txt", "ab", "a")
HEADERS = ObjectHeaders(content_type="text/x-mine", mtime_ns=1_500_000_000_250_000_000, meta=(("Color", "red"),))


@pytest.fixture(scope="module")
def server(swift_or_rgw: RealSwift) -> RealSwift:
    return swift_or_rgw


@pytest.fixture
def links_and_manifests(server: RealSwift) -> None:
    """Skips the test on RGW, which has no symlinks and does not show the manifest of a static large object."""
    if isinstance(server, RealRgw):
        pytest.skip("RGW has no symlinks and shows no manifests: tests/e2e/test_rgw.py has what it does instead")


@pytest.fixture
def judge(server: RealSwift) -> SwiftJudge:
    return SwiftJudge(server.auth_url, server.user, server.key)


@pytest.fixture
def container(server: RealSwift) -> str:
    """A container with an object for each of NAMES; the content of each is its name."""
    return filled(server)


@pytest.fixture(scope="module")
def untouched(server: RealSwift) -> str:
    """A container that the tests share which change nothing."""
    return filled(server)


def filled(server: RealSwift) -> str:
    name = f"c{uuid.uuid4().hex[:8]}"

    async def fill() -> None:
        async with connected(f"swift://{name}", environ=server.environment) as (store, _):
            await store.prepare()
            for key in NAMES:
                await store.put(key, BytesBody.of(key.encode()), HEADERS)

    asyncio.run(fill())
    return name


@pytest.fixture(autouse=True)
def credentials(server: RealSwift, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the environment variables that point bulkput at the Swift."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)


def contents(judge: SwiftJudge, container: str) -> dict[str, str]:
    found = {name: judge.get(container, name) for name in judge.names(container)}
    return {name: seen.content.decode() for name, seen in found.items() if seen is not None}


def described(judge: SwiftJudge, container: str, name: str) -> dict[str, str]:
    seen = judge.get(container, name)
    assert seen is not None
    kept = ("content-type", "etag", "x-object-meta-color", "x-object-meta-mtime", "x-object-meta-new", "cache-control")
    return {field.lower(): value for field, value in seen.headers.items() if field.lower() in kept}


def test_cp_copies_a_directory_within_the_store(server: RealSwift, container: str, judge: SwiftJudge) -> None:
    """bulkput cp -r swift://c/a swift://new/x: creates the container, sends one COPY for each object"""
    ran = in_a_process(
        "cp", "-r", "--json", f"swift://{container}/a", f"swift://{container}-new/x", environ=server.environment
    )
    assert ran.exit_code == 0, ran.err
    *changes, finished = ran.rows
    assert {(row["name"], row["to"]) for row in changes} == {(n, "x" + n[1:]) for n in NAMES if n.startswith("a/")}
    assert (finished["done"], finished["requests"]["PUT"], finished["requests"]["COPY"]) == (3, 1, 3)
    assert contents(judge, f"{container}-new") == {"x" + n[1:]: n for n in NAMES if n.startswith("a/")}
    before, after = described(judge, container, "a/one"), described(judge, f"{container}-new", "x/one")
    assert before == after and before["x-object-meta-color"] == "red"
    assert len(contents(judge, container)) == len(NAMES)


def test_cp_mv_and_rm_say_what_came_of_a_rate(bulkput: Bulkput, container: str) -> None:
    """bulkput cp|mv|rm -r --rate 1000/s: a line for people, "rates" in the numbers for programs"""
    where, there, then = (f"swift://{container}{rest}" for rest in ("/a", "/y", "/z"))
    copied = bulkput("cp", "-r", "--rate", "1000/s", where, there)
    assert (copied.exit_code, "of 1000/s requests; requests waited for them" in copied.err) == (0, True), copied.err
    for verb in (("mv", there, then), ("rm", "--yes", then)):
        ran = bulkput(verb[0], "-r", "--json", "--rate", "1000/s", *verb[1:])
        assert ran.exit_code == 0, ran.err
        reached = ran.rows[-1]["rates"]["objects_per_s"]
        assert reached["asked"] == 1000 and reached["reached"] > 0
    assert "rates" not in bulkput("cp", "-r", "--json", where, there).rows[-1]


def test_cp_replaces_only_the_given_metadata(bulkput: Bulkput, container: str, judge: SwiftJudge) -> None:
    """bulkput cp --meta --content-type --header: all other metadata is copied"""
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
    ran = bulkput("cp", *given, f"swift://{container}/a/one", f"swift://{container}/z/")
    assert ran.exit_code == 0, ran.err
    after = described(judge, container, "z/one")
    assert (after["x-object-meta-color"], after["x-object-meta-new"], after["content-type"]) == ("blue", "1", "text/y")
    assert after["x-object-meta-mtime"] == "1500000000.250000000"


def test_mv_renames_a_directory(bulkput: Bulkput, container: str, judge: SwiftJudge) -> None:
    """bulkput mv -r swift://c/a swift://c/ab: one bulk-delete removes the sources once all copies are proven"""
    ran = bulkput("mv", "-r", "--json", f"swift://{container}/a", f"swift://{container}/ab")
    assert ran.exit_code == 0, ran.err
    *changes, finished = ran.rows
    assert {row["event"] for row in changes} == {"moved"} and all(row["to"].startswith("ab/") for row in changes)
    assert (finished["requests"]["POST"], "DELETE" in finished["requests"]) == (1, False)
    assert contents(judge, container) == {"ab" + n[1:] if n.startswith("a/") else n: n for n in NAMES}


@pytest.mark.usefixtures("links_and_manifests")
def test_mv_copies_a_manifest_as_a_manifest(bulkput: Bulkput, container: str, judge: SwiftJudge) -> None:
    """bulkput mv of a static large object: its segments stay"""
    parts = [{"path": f"/{container}/a/one"}, {"path": f"/{container}/a/b/two"}]
    where = f"{judge.storage_url}/{container}/{quote('big one')}?multipart-manifest=put"
    put = Request(where, json.dumps(parts).encode(), {"X-Auth-Token": judge._token}, method="PUT")
    with urlopen(put) as answered:
        assert answered.status == 201
    moved = bulkput("mv", f"swift://{container}/big one", f"swift://{container}/moved")
    assert moved.exit_code == 0, moved.err
    assert contents(judge, container) == {n: n for n in NAMES} | {"moved": "a/onea/b/two"}
    (row,) = [row for row in judge.rows(container) if row["name"] == "moved"]
    assert "slo_etag" in row


@pytest.mark.usefixtures("links_and_manifests")
def test_mv_refuses_to_move_segments_away_from_their_manifest(
    bulkput: Bulkput, container: str, judge: SwiftJudge
) -> None:
    """bulkput mv -r of a directory with a manifest and its segments: refused before any copy, static and dynamic"""
    parts = [{"path": f"/{container}/a/one"}]
    where = f"{judge.storage_url}/{container}/a/big?multipart-manifest=put"
    with urlopen(Request(where, json.dumps(parts).encode(), {"X-Auth-Token": judge._token}, method="PUT")) as answered:
        assert answered.status == 201
    move = ("mv", "-r", f"swift://{container}/a", f"swift://{container}/z")
    refused = bulkput(*move)
    assert (refused.exit_code, "Nothing was moved" in refused.err) == (2, True)
    judge.delete(container, "a/big")
    fields = {"X-Auth-Token": judge._token, "X-Object-Manifest": f"{container}/a/b"}
    dynamic = Request(f"{judge.storage_url}/{container}/a/dynamic", b"", fields, method="PUT")
    with urlopen(dynamic) as answered:
        assert answered.status == 201
    refused = bulkput(*move)
    assert (refused.exit_code, "nothing was moved" in refused.err) == (2, True)
    judge.delete(container, "a/dynamic")
    put(judge, f"{container}/a/link", b"", {"X-Symlink-Target": f"{container}/{quote('a/ü #?%.txt')}"})
    refused = bulkput(*move)
    assert (refused.exit_code, "is a link to what lies below" in refused.err) == (2, True)
    assert not any(name.startswith("z") for name in judge.names(container))


@pytest.mark.usefixtures("links_and_manifests")
def test_mv_moves_a_symlink_and_not_its_target(bulkput: Bulkput, container: str, judge: SwiftJudge) -> None:
    """bulkput mv of a symlink, valid or dangling"""
    account = judge.storage_url
    for name, target in (("link", "a/one"), ("dangling", "nothing")):
        fields = {"X-Auth-Token": judge._token, "X-Symlink-Target": f"{container}/{target}"}
        with urlopen(Request(f"{account}/{container}/l/{name}", b"", fields, method="PUT")) as answered:
            assert answered.status == 201
    ran = bulkput("mv", "-r", f"swift://{container}/l", f"swift://{container}/m")
    assert ran.exit_code == 0, ran.err
    rows = judge.rows(container)
    links = {row["name"]: row.get("symlink_path", "") for row in rows if row["name"].startswith(("l/", "m/"))}
    assert {name: path.rpartition(container)[2] for name, path in links.items()} == {
        "m/link": "/a/one",
        "m/dangling": "/nothing",
    }
    assert bulkput("rm", f"swift://{container}/m/dangling").exit_code == 0
    assert "m/dangling" not in judge.names(container)


def test_a_dry_run_of_mv_or_rm_changes_nothing(bulkput: Bulkput, untouched: str, judge: SwiftJudge) -> None:
    """bulkput mv / rm --dry-run: one line for each object on stdout"""
    ran = bulkput("mv", "-r", "--dry-run", f"swift://{untouched}/a", f"swift://{untouched}-no")
    assert (ran.exit_code, sorted(ran.out.splitlines())[1]) == (0, "would move: a/one -> one")
    ran = bulkput("rm", "-r", "--dry-run", f"swift://{untouched}")
    assert (ran.exit_code, len(ran.out.splitlines())) == (0, len(NAMES))
    assert contents(judge, untouched) == {n: n for n in NAMES} and judge.names(f"{untouched}-no") == []


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("cp", "swift://{}/no", "swift://{}/x"), 1, "no object of that name"),
        (("mv", "-r", "swift://{}/a", "swift://{}/a/b"), 2, "within the source"),
        (("rm", "-r", "swift://{}/a"), 2, "--yes"),
        (("cp", "--header", "Destination:x", "swift://{}/a/one", "swift://{}/x"), 2, "--header Destination: where"),
        (("rm", "swift://{}/no"), 1, "no object of that name\n"),
        (("rm", "swift://{}/a/b"), 1, "no object of that name, but a directory with objects below it: -r takes them"),
        (("rm", "swift://{}/a/b/"), 1, "no object of that name, but a directory with objects below it: -r takes them"),
        (("cp", "swift://{}/a/b", "swift://{}/x"), 1, "but a directory with objects below it: -r takes them"),
        (("rm", "-r", "--yes", "swift://{}-no"), 1, "404"),
    ],
)
def test_an_impossible_change_is_one_sentence_and_changes_nothing(
    bulkput: Bulkput, untouched: str, judge: SwiftJudge, arguments: tuple[str, ...], code: int, says: str
) -> None:
    """bulkput cp, mv or rm that is refused or fails: the store is unchanged"""
    ran = bulkput(*(each.format(untouched) for each in arguments))
    assert (ran.exit_code, ran.err.count("\n")) == (code, 1), ran.err
    assert says in ran.err
    assert judge.names(untouched) == sorted(NAMES, key=str.encode)


def test_rm_removes_a_directory_and_an_object(bulkput: Bulkput, container: str, judge: SwiftJudge) -> None:
    """bulkput rm -r --yes swift://c/a, then rm swift://c/ab"""
    ran = bulkput("rm", "-r", "--yes", "-v", f"swift://{container}/a")
    assert ran.exit_code == 0, ran.err
    assert sorted(ran.out.splitlines()) == sorted(f"removed: {n}" for n in NAMES if n != "ab")
    assert judge.names(container) == ["ab"]
    assert bulkput("rm", f"swift://{container}/ab").exit_code == 0
    assert judge.names(container) == []


def test_a_copy_between_two_kinds_of_stores_passes_through_this_machine(
    bulkput: Bulkput, container: str, judge: SwiftJudge, nginx: NginxDav
) -> None:
    """bulkput cp and mv swift://c/x http://...: a message says so; mv refuses objects that would lose metadata"""
    url = f"{nginx.url}/{container}/"
    ran = bulkput("cp", f"swift://{container}/a/one", url)
    assert (ran.exit_code, "pass through this machine" in ran.err) == (0, True), ran.err
    with urlopen(url + "one") as answered:
        assert answered.read() == b"a/one"
    refused = bulkput("mv", f"swift://{container}/a/one", url)
    assert (refused.exit_code, "it has metadata, which the destination does not keep" in refused.err) == (1, True)
    judge.put(container, "bare", b"bare")
    assert bulkput("mv", f"swift://{container}/bare", url).exit_code == 0
    back = bulkput("mv", url + "bare", f"swift://{container}/back")
    assert back.exit_code == 0, back.err
    names = judge.names(container)
    assert "a/one" in names and "bare" not in names and contents(judge, container)["back"] == "bare"


ODD = (*(name for name in HOSTILE_NAMES if len(name) < 100), "empty", "marker/", "expires")
ODD_FIELDS = {
    "marker/": {"Content-Type": "application/directory"},
    "expires": {"X-Delete-At": "4000000000", "Content-Encoding": "gzip", "Content-Disposition": 'inline; filename="x"'},
}
EMPTY = ("empty", "marker/")


def test_mv_keeps_odd_objects_with_odd_names_as_they_are(bulkput: Bulkput, judge: SwiftJudge) -> None:
    """bulkput mv -r from and to containers with odd names, over existing objects; then rm -r"""
    old, new = f"o {uuid.uuid4().hex[:6]} ?#%41ü+&", f"n\n{uuid.uuid4().hex[:6]}%2e"
    put(judge, old)
    for name in ODD:
        put(judge, f"{old}/d/{name}", b"" if name in EMPTY else name.encode(), ODD_FIELDS.get(name, {}))
    before, expires = listed(judge, old, "d/"), look(judge, old, "d/expires")
    put(judge, new)
    put(judge, f"{new}/e/empty", b"another")
    ran = bulkput("mv", "-r", f"swift://{old}/d", f"swift://{new}/e")
    assert ran.exit_code == 0, ran.err
    assert listed(judge, new, "e/") == before and before.keys() == set(ODD) and judge.names(old) == []
    assert look(judge, new, "e/expires") == expires and expires[1]["X-Delete-At"] == "4000000000"
    ran = bulkput("rm", "-r", "--yes", "--json", f"swift://{new}")
    assert (ran.exit_code, judge.names(new), ran.rows[-1]["requests"].get("DELETE")) == (0, [], None)


def test_mv_of_a_directory_marker_to_the_top_of_a_container_fails(
    bulkput: Bulkput, container: str, judge: SwiftJudge
) -> None:
    """bulkput mv -r swift://c/d swift://new, with a marker d/: the marker has no name there and stays"""
    for name in ("d/", "d/x"):
        put(judge, f"{container}/{name}", b"")
    ran = bulkput("mv", "-r", f"swift://{container}/d", f"swift://{container}-top")
    assert (ran.exit_code, "d/: it would have no name at the destination" in ran.err) == (1, True), ran.err
    assert judge.names(f"{container}-top") == ["x"] and "d/" in judge.names(container)


def test_cp_copies_a_dynamic_large_object_as_one(bulkput: Bulkput, container: str, judge: SwiftJudge) -> None:
    """bulkput cp: copies only the manifest, which names the same segments"""
    put(judge, f"{container}/big", b"", {"X-Object-Manifest": f"{container}/a/"})
    ran = bulkput("cp", f"swift://{container}/big", f"swift://{container}/big2")
    assert ran.exit_code == 0, ran.err
    content, fields = look(judge, container, "big2")
    assert content == look(judge, container, "big")[0] != b"" and fields["X-Object-Manifest"] == f"{container}/a/"


def put(judge: SwiftJudge, path: str, content: bytes = b"", fields: Mapping[str, str] | None = None) -> None:
    url = f"{judge.storage_url}/{quote(path)}"
    headers = {"X-Auth-Token": judge._token, "Content-Type": "text/x-odd", **(fields or {})}
    with urlopen(Request(url, content, headers, method="PUT")) as answered:
        assert answered.status in (201, 202)


def listed(judge: SwiftJudge, container: str, prefix: str) -> dict[str, tuple[str, str]]:
    """Gives MD5 and content type of each object, by its name after the prefix."""
    return {row["name"].removeprefix(prefix): (row["hash"], row["content_type"]) for row in judge.rows(container)}


def look(judge: SwiftJudge, container: str, name: str) -> tuple[bytes, dict[str, str]]:
    seen = judge.get(container, name)
    assert seen is not None, name
    of_a_request = ("Date", "Last-Modified", "X-Timestamp", "X-Trans-Id", "X-Openstack-Request-Id")
    return seen.content, {field: value for field, value in seen.headers.items() if field not in of_a_request}
