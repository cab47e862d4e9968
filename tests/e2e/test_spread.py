"""Objects that are spread over the containers of a range, by the command line. Each docstring begins with the command
that the test covers.
"""

import os
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest

from bulkput.policy.spread import container_of, spread_of
from tests.e2e.cli import Ran, bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.swift import SCRIPT, RealSwift

pytestmark = [pytest.mark.timeout(240)]
COUNT = 120


class World:
    """A tree, and eight containers of their own on a server."""

    def __init__(self, server: RealSwift, tree: Path) -> None:
        self.tree = tree
        self.environ: Mapping[str, str] = server.environment
        self.pattern = f"s{uuid.uuid4().hex[:8]}-{{00..07}}"
        self.url = f"swift://{self.pattern}"
        self.judge = SwiftJudge(server.auth_url, server.user, server.key)

    def __call__(self, *arguments: str | Path) -> Ran:
        return bulkput(*arguments, environ=self.environ)

    def uploaded(self, *arguments: str | Path, to: str = "") -> dict[str, object]:
        ran = self("upload", "--summary", "-", *arguments, self.tree, to or f"{self.url}/p")
        assert ran.exit_code == 0, ran.err
        return ran.summary

    @property
    def containers(self) -> tuple[str, ...]:
        spread = spread_of(self.pattern)
        assert spread is not None
        return spread.names

    def stored(self) -> dict[str, str]:
        """Each object with its container, as another client lists them."""
        return {row["name"]: container for container in self.containers for row in self.judge.rows(container)}


@pytest.fixture(params=["devserver", pytest.param("swift", marks=pytest.mark.swift)], scope="module")
def both(request: pytest.FixtureRequest) -> RealSwift:
    found = request.getfixturevalue("server" if request.param == "devserver" else "swift")
    assert isinstance(found, RealSwift)
    return found


@pytest.fixture
def world(both: RealSwift, tmp_path: Path) -> World:
    return _world(both, tmp_path / "tree")


@pytest.fixture
def small(server: RealSwift, tmp_path: Path) -> World:
    """On the devserver alone."""
    return _world(server, tmp_path / "tree")


def _world(server: RealSwift, tree: Path) -> World:
    for number in range(COUNT):
        path = tree / f"d{number % 7}" / f"ü {number:03d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number * (number % 5))
    return World(server, tree)


def test_each_object_is_where_the_hash_says(world: World) -> None:
    """bulkput upload TREE swift://NAME-{00..07}/p: one PUT per object, one per container"""
    summary = world.uploaded()
    assert summary["requests"] == {"GET": 2, "PUT": COUNT + 8}  # the login, `/info`
    stored = world.stored()
    assert len(stored) == COUNT
    assert all(container_of(world.pattern, name) == container for name, container in stored.items())
    assert set(stored.values()) == set(world.containers)


def test_what_is_spread_is_listed_compared_and_removed_as_one(world: World) -> None:
    """bulkput ls, verify, upload --skip identical, rm -r: over all containers"""
    world.uploaded()
    names = sorted(world.stored(), key=str.encode)
    listed = world("ls", "-r", f"{world.url}/p")
    assert [row.removesuffix("\n") for row in listed.out.splitlines()] == names
    level = world("ls", f"{world.url}/p")
    assert level.out.splitlines() == [f"p/d{number}/" for number in range(7)]
    assert world("verify", world.tree, f"{world.url}/p").exit_code == 0
    again = world.uploaded("--skip", "identical")
    assert (again["uploaded"], again["skipped"]) == (0, COUNT)
    (world.tree / "d0" / "ü 000").write_bytes(b"changed")
    differing = world("verify", world.tree, f"{world.url}/p")
    assert differing.exit_code == 1
    removed = world("rm", "-r", "--yes", f"{world.url}/p")
    assert removed.exit_code == 0, removed.err
    assert world.stored() == {}
    assert world("ls", "-r", world.url).out == ""


def test_a_mirror_removes_what_has_no_file_from_its_own_container(world: World) -> None:
    """bulkput upload --skip identical --delete-extra: an object outside of the prefix stays"""
    world.uploaded()
    world("upload", world.tree / "d1" / "ü 001", f"{world.url}/other")
    for number in range(0, COUNT, 7):
        (world.tree / "d0" / f"ü {number:03d}").unlink()
    (world.tree / "d0" / "new").write_bytes(b"new")
    world.uploaded("--skip", "identical", "--delete-extra", "--yes")
    left = world.stored()
    assert len(left) == COUNT - len(range(0, COUNT, 7)) + 2
    assert {"other", "p/d0/new"} <= left.keys()
    assert world("verify", world.tree, f"{world.url}/p").exit_code == 0


def test_an_object_in_a_wrong_container_is_left_alone(world: World) -> None:
    """bulkput ls, rm -r: it is no object of the range, and a warning names it"""
    world.uploaded()
    name = "p/d1/ü 001"
    wrong = next(each for each in world.containers if each != container_of(world.pattern, name))
    assert (
        bulkput("upload", world.tree / "d1" / "ü 001", f"swift://{wrong}/{name}", environ=world.environ).exit_code == 0
    )
    listed = world("ls", "-r", f"{world.url}/p")
    assert len(listed.out.splitlines()) == COUNT
    assert wrong in listed.err
    assert "left alone" in listed.err
    removed = world("rm", "-r", "--yes", world.url)
    assert (removed.exit_code, world.stored()) == (0, {name: wrong})


def test_objects_are_copied_and_moved_between_ranges(world: World) -> None:
    """bulkput cp -r, mv -r: from eight containers to sixteen others, into one, and back below another prefix"""
    world.uploaded()
    many = f"{world.pattern.partition('{')[0]}x{{0..15}}"
    assert world("cp", "-r", f"{world.url}/p/", f"swift://{many}/q/").exit_code == 0
    assert world("verify", world.tree, f"swift://{many}/q").exit_code == 0
    spread = spread_of(many)
    assert spread is not None
    for container in spread.names:
        assert all(container_of(many, row["name"]) == container for row in world.judge.rows(container))
    one = many.partition("{")[0]
    assert world("mv", "-r", f"swift://{many}/q/", f"swift://{one}/").exit_code == 0
    assert world("ls", "-r", f"swift://{many}").out == ""
    assert world("verify", world.tree, f"swift://{one}").exit_code == 0
    assert world("mv", "-r", f"{world.url}/p/", f"{world.url}/r/").exit_code == 0
    assert world("verify", world.tree, f"{world.url}/r").exit_code == 0
    assert all(container_of(world.pattern, name) == container for name, container in world.stored().items())
    assert len(world.stored()) == COUNT


def test_a_large_object_lies_in_its_container_with_its_segments_beside_it(world: World) -> None:
    """bulkput upload --segment-size: verified, overwritten, and removed"""
    (world.tree / "large").write_bytes(os.urandom(300_000))
    flags = ("--segment-above", "100000", "--segment-size", "100000")
    world.uploaded(*flags)
    container = container_of(world.pattern, "p/large")
    assert world.stored()["p/large"] == container
    assert len(world.judge.rows(f"{container}_segments")) == 3
    assert world.judge.content(container, "p/large") == (world.tree / "large").read_bytes()
    assert world("verify", world.tree, f"{world.url}/p").exit_code == 0
    assert world.uploaded(*flags, "--skip", "identical")["uploaded"] == 0
    removed = world("rm", "-r", "--yes", "--with-segments", f"{world.url}/p")
    assert removed.exit_code == 0, removed.err
    assert world.judge.rows(f"{container}_segments") == []


def test_a_journal_belongs_to_the_range(world: World, tmp_path: Path) -> None:
    """bulkput upload --journal: the same range has nothing to send, another range is refused"""
    journal = tmp_path / "journal"
    world.uploaded("--journal", journal)
    again = world.uploaded("--journal", journal)
    assert again["uploaded"] == 0
    other = f"{world.pattern.partition('{')[0]}{{00..15}}"
    ran = world("upload", "--journal", journal, world.tree, f"swift://{other}/p")
    assert ran.exit_code == 2, ran.err
    assert other in ran.err


def test_the_doctor_looks_at_all_containers(world: World) -> None:
    """bulkput doctor swift://NAME-{00..07}/p: and leaves nothing"""
    world.uploaded()
    before = world.stored()
    ran = world("doctor", f"{world.url}/p")
    assert ran.exit_code == 0, ran.out + ran.err
    assert world.stored() == before


def test_new_objects_alone_are_sent(world: World) -> None:
    """bulkput upload --if-exists skip"""
    assert world("upload", world.tree / "d1", f"{world.url}/p/d1").exit_code == 0
    summary = world.uploaded("--if-exists", "skip")
    there = len(list((world.tree / "d1").iterdir()))
    assert (summary["uploaded"], summary["skipped"]) == (COUNT - there, there)
    assert world("verify", world.tree, f"{world.url}/p").exit_code == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("cp", "-r", "swift://n-{0..7}/", "swift://n-{0..15}/"), "have containers in common"),
        (("mv", "-r", "swift://n-3/", "swift://n-{0..7}/"), "have containers in common"),
        (("cp", "-r", "--with-segments", "swift://a/", "swift://n-{0..7}/"), "name one container, such as n-0"),
        (("segments", "swift://n-{0..7}"), "name one container, such as n-0"),
        (("tempurl", "swift://n-{0..7}/p"), "name one"),
        (("ls", "swift://n-{7..0}"), "counts down"),
        (("ls", "swift://n-{0..7"), "write one range of numbers, such as name-{00..63}"),
    ],
)
def test_what_cannot_work_is_one_sentence(server: RealSwift, line: tuple[str, ...], said: str) -> None:
    """Exit code 2."""
    ran = bulkput(*line, environ=server.environment)
    assert ran.exit_code == 2, ran.err
    assert said in ran.err
    assert len(ran.err.strip().splitlines()) == 1


def test_missing_containers_are_one_sentence(server: RealSwift) -> None:
    """bulkput ls: none of them is there"""
    ran = bulkput("ls", "swift://missing-{00..07}/p", environ=server.environment)
    assert ran.exit_code == 1, ran.err
    assert "there is no container missing-{00..07}" in ran.err


def test_a_missing_container_counts_as_empty_with_a_warning(world: World) -> None:
    """bulkput ls, verify: the objects of the others are there"""
    world.uploaded()
    gone = world.containers[3]
    names = [name for name, container in world.stored().items() if container == gone]
    for name in names:
        world.judge.delete(gone, name)
    world.judge.delete(gone)
    listed = world("ls", "-r", world.url)
    assert len(listed.out.splitlines()) == COUNT - len(names)
    assert f"1 of the 8 containers {world.pattern} do not exist, the first is {gone}" in listed.err
    verified = world("verify", world.tree, f"{world.url}/p")
    assert verified.exit_code == 1
    again = world.uploaded("--skip", "identical")
    assert (again["uploaded"], again["skipped"]) == (len(names), COUNT - len(names))


def _copied(world: World) -> str:
    """A copy of all objects in one container, made by a mirror."""
    mirror = f"swift://{world.pattern.partition('{')[0]}mirror/"
    ran = world("upload", "--skip", "identical", "--delete-extra", f"{world.url}/p/", mirror)
    assert ran.exit_code == 0, ran.err
    return mirror


@pytest.mark.parametrize("flag", [("--delete-extra", "--yes"), ("--expire-extra", "1d")])
def test_a_mirror_of_a_range_that_misses_a_container_removes_nothing(small: World, flag: tuple[str, str]) -> None:
    """bulkput upload --skip identical --delete-extra swift://NAME-{00..07}/p/ swift://MIRROR/: exit code 1, and why"""
    small.uploaded()
    mirror = _copied(small)
    gone = small.containers[1]
    for name, container in small.stored().items():
        if container == gone:
            small.judge.delete(gone, name)
    small.judge.delete(gone)
    ran = small("upload", "--skip", "identical", *flag, f"{small.url}/p/", mirror)
    assert ran.exit_code == 1, ran.err
    assert f"1 of the 8 containers {small.pattern} do not exist, the first is {gone}" in ran.err
    assert "not removed" in ran.err
    rows = small.judge.rows(mirror.split("/")[2])
    assert len(rows) == COUNT


def test_a_mirror_of_a_narrower_range_removes_nothing(small: World) -> None:
    """bulkput upload --delete-extra swift://NAME-{00..06}/p/: the objects are in others than their names say"""
    small.uploaded()
    mirror = _copied(small)
    narrower = small.url.replace("07}", "06}")
    ran = small("upload", "--skip", "identical", "--delete-extra", "--yes", f"{narrower}/p/", mirror)
    assert ran.exit_code == 1, ran.err
    assert "which belongs into" in ran.err
    assert len(small.judge.rows(mirror.split("/")[2])) == COUNT


def test_a_mirror_into_a_range_makes_the_containers_that_it_misses(small: World) -> None:
    """bulkput upload --delete-extra TREE swift://NAME-{00..07}/p: a missing destination has no extras"""
    small.uploaded()
    gone = small.containers[1]
    for name, container in small.stored().items():
        if container == gone:
            small.judge.delete(gone, name)
    small.judge.delete(gone)
    next(path for path in small.tree.rglob("ü *") if small.stored().get(f"p/{path.relative_to(small.tree)}")).unlink()
    small.uploaded("--skip", "identical", "--delete-extra", "--yes")
    assert len(small.stored()) == COUNT - 1


@pytest.mark.parametrize(
    ("source", "to"),
    [("-{0..3}/", "-1/0/"), ("-{0..3}/x/", "-{2..5}/x/y/"), ("-1/x/", "-{0..3}/"), ("-{0..3}/", "-{0..3}/y/")],
)
def test_an_upload_into_a_container_of_its_source_is_refused(server: RealSwift, source: str, to: str) -> None:
    """bulkput upload swift://NAME-{0..3}/ swift://NAME-1/0/: the run would read what it writes"""
    own = f"swift://own{uuid.uuid4().hex[:8]}"
    judge = SwiftJudge(server.auth_url, server.user, server.key)
    for index in range(4):
        judge.put(f"{own[8:]}-{index}", "")
    for index in range(40):  # some of them are where their names say
        judge.put(f"{own[8:]}-1", f"x/{index}", b"x")
    ran = bulkput("upload", own + source, own + to, environ=server.environment)
    assert ran.exit_code == 2, ran.err
    assert "the run would read what it writes" in ran.err


def test_the_marker_of_the_source_itself_hides_no_extra_object(server: RealSwift) -> None:
    """bulkput upload --delete-extra swift://C/x/ swift://D/y/, and the object `x/` exists"""
    one, other = f"one{uuid.uuid4().hex[:8]}", f"two{uuid.uuid4().hex[:8]}"
    judge = SwiftJudge(server.auth_url, server.user, server.key)
    for container, names in ((one, ("", "x/", "x/a")), (other, ("", "y/a", "y/extra", "y/", "beside"))):
        for name in names:
            judge.put(container, name, b"1" if name else b"")
    mirror = ("upload", "--skip", "identical", "--delete-extra", "--yes")
    ran = bulkput(*mirror, f"swift://{one}/x/", f"swift://{other}/y/", environ=server.environment)
    assert ran.exit_code == 0, ran.err
    assert judge.names(other) == ["beside", "y/", "y/a"]


def test_no_url_is_printed_with_a_warning(server: RealSwift, tmp_path: Path) -> None:
    """bulkput upload --print-urls: the objects are stored"""
    (tmp_path / "a").write_bytes(b"a")
    ran = bulkput("upload", "--print-urls", tmp_path, "swift://urls-{0..3}/p", environ=server.environment)
    assert ran.exit_code == 0, ran.err
    assert "URLs of the objects are not known" in ran.err


@pytest.mark.swift
def test_another_client_finds_each_object_where_the_hash_says(swift: RealSwift, tmp_path: Path) -> None:
    """bulkput upload of 500 files, then `swift download` of each container, and the shell's own hash"""
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(500):
        (tree / f"{number:03d}").write_bytes(b"%d" % number)
    url = "swift://stranger-{00..07}/p"
    assert bulkput("upload", tree, url, environ=swift.environment).exit_code == 0
    client = SCRIPT.parents[1] / ".tools" / "swift-venv" / "bin" / "swift"
    for index in range(8):
        out = tmp_path / f"{index:02d}"
        download = [str(client), "-q", "download", f"stranger-{index:02d}", "--output-dir", str(out)]
        subprocess.run(download, env={**os.environ, **swift.environment}, check=True)
    script = (
        "cd $1; for f in $(ls $2); do h=$(printf %s p/$f | sha256sum);"
        " cmp $2/$f $(printf '%02d' $(( 0x${h:0:8} % 8 )))/p/$f || exit 1; done; find [0-9]* -type f | wc -l"
    )
    found = subprocess.run(
        ["bash", "-c", script, "bash", str(tmp_path), str(tree)], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "500"


@pytest.mark.swift
def test_a_mirror_keeps_what_a_link_in_another_container_reads(swift: RealSwift, tmp_path: Path) -> None:
    """bulkput upload --skip identical --delete-extra: a link's target has no file, and stays; other extras go"""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "l").write_bytes(b"read by a link")
    world = World(swift, tmp_path / "tree")
    world.uploaded()
    where = {name: container_of(world.pattern, f"p/{name}") for name in ("l", "target-0", "extra")}
    assert where["l"] != where["target-0"]
    for name in ("target-0", "extra"):
        world.judge.put(where[name], f"p/{name}", b"read by a link")
    link = {"X-Symlink-Target": f"{where['target-0']}/p/target-0"}
    world.judge.put(where["l"], "p/l", fields=link)
    ran = world("upload", "--skip", "identical", "--delete-extra", "--yes", world.tree, f"{world.url}/p")
    assert ran.exit_code == 1, ran.err
    assert "not removed: p/target-0 is read through p/l, which stays" in ran.err
    assert world.stored().keys() == {"p/l", "p/target-0"}
    assert world.judge.content(where["l"], "p/l") == b"read by a link"


def test_parts_keep_the_rate_of_the_container_that_they_go_to(server: RealSwift, tmp_path: Path) -> None:
    """bulkput upload --rate-per-container --segment-container: one container has the parts of all objects"""
    for number in range(4):
        (tmp_path / f"{number}").write_bytes(os.urandom(10_000))
    flags = ("--segment-above", "1000", "--segment-size", "1000", "--segment-container", "all-parts")
    rate = ("--rate-per-container", "40/s", "--summary", "-")
    ran = bulkput("upload", *flags, *rate, tmp_path, "swift://parted-{0..3}", environ=server.environment)
    assert ran.exit_code == 0, ran.err
    assert ran.summary["elapsed_s"] >= 0.9, "40 parts, one of which may go at once"
