"""`upload --skip`, `--delete-extra` and `--dir-markers` against the devserver; docstrings begin with the command."""

import asyncio
import hashlib
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import pytest

import bulkput as library
from bulkput import events as ev
from bulkput.devserver import DevServer
from bulkput.devserver.record import StoredObject
from bulkput.engine.stop import Stop
from bulkput.model import Prefix
from bulkput.options import GzipOptions, SkipMode, SkipOptions, UploadOptions, WalkOptions
from bulkput.results import Summary
from tests.conftest import environ_of
from tests.e2e.cli import Ran, bulkput
from tests.servers.nginx import NginxDav

MODES: tuple[SkipMode, ...] = tuple(mode for mode in get_args(SkipMode) if mode != "none")


@pytest.fixture
def url() -> str:
    return f"swift://c-{uuid.uuid4().hex[:8]}/p"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Seven files (one empty, one larger than the buffer, two that sort around `/`) and an empty directory."""
    root = tmp_path / "tree"
    (root / "a" / "b").mkdir(parents=True)
    (root / "none").mkdir()
    for name in ("one.txt", "a/two.html", "a-b", "a0", "z"):
        (root / name).write_text(name)
    (root / "empty").touch()
    (root / "a" / "b" / "three.bin").write_bytes(os.urandom(1_500_000))
    return root


def upload(tree: Path, url: str, environ: Mapping[str, str], options: UploadOptions) -> Summary:
    return asyncio.run(library.upload(tree, url, options=options, environ=environ))


def skip(mode: SkipMode, **more: object) -> UploadOptions:
    return UploadOptions(skip=SkipOptions(mode=mode), **more)  # type: ignore[arg-type]


def names(url: str, environ: Mapping[str, str]) -> list[str]:
    ran = bulkput("ls", "-r", url, environ=environ)
    assert ran.exit_code == 0, ran.err
    return [line.removeprefix("p/") for line in ran.out.splitlines()]


def rows(url: str, environ: Mapping[str, str]) -> list[dict[str, Any]]:
    return bulkput("ls", "-r", "--json", url, environ=environ).rows


def lines(ran: Ran) -> set[str]:
    return set(ran.out.splitlines())


@pytest.mark.parametrize(("mode", "heads"), [("existing", 0), ("unchanged", 1), ("identical", 1)])
def test_a_second_run_sends_nothing(
    environ: Mapping[str, str], url: str, tree: Path, mode: SkipMode, heads: int
) -> None:
    """bulkput upload --skip MODE: a login, one page, a HEAD for the empty file; a third run sends changed files"""
    assert upload(tree, url, environ, skip(mode)).uploaded == 7
    again = upload(tree, url, environ, skip(mode))
    assert (again.uploaded, again.skipped, again.exit_code) == (0, 7, 0)
    assert again.requests == {"GET": 2} | ({"HEAD": heads} if heads else {})
    (tree / "a0").write_text("A0")
    (tree / "one.txt").write_text("longer than before")
    (tree / "new").write_text("new")
    third = upload(tree, url, environ, skip(mode))
    assert (third.uploaded, third.found) == (1 if mode == "existing" else 3, 8)
    if mode != "existing":
        assert asyncio.run(library.verify(tree, url, environ=environ)).identical == 8


def test_skip_unchanged_compares_mtimes_and_skip_identical_compares_bytes(
    environ: Mapping[str, str], url: str, tree: Path
) -> None:
    """bulkput upload --skip unchanged sends touched files; --skip identical sends an old file of equal size"""
    assert upload(tree, url, environ, skip("none")).uploaded == 7
    for path in (tree / "z", tree / "a0"):
        os.utime(path, (4_000_000_000, 4_000_000_000))
    (tree / "one.txt").write_text("ONE.TXT")
    os.utime(tree / "one.txt", (1, 1))
    assert upload(tree, url, environ, skip("unchanged")).uploaded == 2
    last = upload(tree, url, environ, skip("identical"))
    assert (last.uploaded, last.skipped_by_reason) == (1, {"identical in the store": 6})


@pytest.mark.parametrize(("mode", "store_as"), [("auto", "encoding"), ("always", "encoding"), ("always", "suffix")])
def test_compressed_objects_are_known_by_their_metadata(
    environ: Mapping[str, str], url: str, tree: Path, mode: str, store_as: str
) -> None:
    """bulkput upload --gzip --skip: a HEAD gives the source's MD5 and size, which are compared with the file"""
    gzip = GzipOptions(mode=mode, store_as=store_as, min_size=1, least_saving=0)  # type: ignore[arg-type]
    (tree / "text").write_text("all work and no play " * 100)
    (tree / "other").write_text("makes Jack a dull boy " * 100)
    assert upload(tree, url, environ, skip("none", gzip=gzip)).uploaded == 9
    for skipping in MODES:
        again = upload(tree, url, environ, skip(skipping, gzip=gzip))
        assert (again.uploaded, again.skipped, again.requests.get("PUT")) == (0, 9, None), skipping
    (tree / "text").write_text("All work and no play " * 100)
    assert upload(tree, url, environ, skip("identical", gzip=gzip)).uploaded == 1
    assert upload(tree, url, environ, skip("identical", gzip=gzip)).uploaded == 0


def test_a_file_stored_compressed_is_sent_if_gzip_is_off(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload --skip identical without --gzip: the stored form differs"""
    (tree / "text").write_text("all work and no play " * 100)
    assert upload(tree, url, environ, skip("none", gzip=GzipOptions(mode="auto"))).uploaded == 8
    assert upload(tree, url, environ, skip("identical")).uploaded == 1


def test_a_missing_container_counts_as_empty(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload --skip existing to a new container: a login, a listing, /info, and one PUT for each object"""
    first = upload(tree, url, environ, skip("existing"))
    assert (first.uploaded, first.requests) == (7, {"GET": 3, "PUT": 8})


def test_escaped_names_in_another_order_are_skipped(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload --encode-names percent --skip identical"""
    for name in (b"\xff", b"a%b", b"\xc3\xa9"):
        Path(os.fsdecode(os.fsencode(tree) + b"/" + name)).write_bytes(name)
    assert upload(tree, url, environ, skip("identical", encode_names="percent")).uploaded == 10
    assert upload(tree, url, environ, skip("identical", encode_names="percent")).skipped == 10


def test_single_files_are_looked_up_by_name(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload --skip identical FILE FILE DEST/, and FILE DEST"""
    files = [tree / "z", tree / "one.txt"]
    for sources, to, count in ((files, f"{url}/", 2), (files[:1], f"{url}/other", 1)):
        for sent in (count, 0):
            summary = asyncio.run(library.upload(sources, to, options=skip("identical"), environ=environ))
            assert (summary.uploaded, summary.skipped) == (sent, count - sent)


def test_a_dry_run_prints_exactly_what_would_be_sent_and_removed(
    environ: Mapping[str, str], url: str, tree: Path
) -> None:
    """bulkput upload --dry-run --skip identical --delete-extra: sends and removes nothing"""
    assert upload(tree, url, environ, skip("none")).uploaded == 7
    (tree / "a0").write_text("A0")
    (tree / "z").unlink()
    ran = bulkput("upload", "--dry-run", "--skip", "identical", "--delete-extra", tree, url, environ=environ)
    assert lines(ran) == {f"would upload: {tree}/a0 -> p/a0 (2 B)", "would remove: p/z"}
    assert "dry run: would upload 1 file, 2 B, remove 1 object\n" in ran.err
    assert asyncio.run(library.verify(tree, url, environ=environ)).different == 1


def test_an_interrupted_mirror_removes_nothing(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload --skip identical --delete-extra, Ctrl-C at the first file: exit 130"""
    assert upload(tree, url, environ, skip("none")).uploaded == 7
    (tree / "z").unlink()

    async def interrupted() -> Summary:
        stop = Stop()
        options = UploadOptions(skip=SkipOptions(mode="identical", delete_extra=True))

        def on_event(event: ev.Event) -> None:
            if isinstance(event, ev.Discovered):
                stop.interrupt()

        return await library.upload(tree, url, options=options, environ=environ, on_event=on_event, stop=stop)

    summary = asyncio.run(interrupted())
    assert (summary.exit_code, summary.removed, summary.uploaded) == (130, 0, 0)
    assert "z" in names(url, environ)


def test_a_mirror_removes_objects_without_a_file(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload --delete-extra: only below DEST; keeps objects of files that filters leave out; verify agrees"""
    assert upload(tree, f"{url}/sub", environ, skip("none")).uploaded == 7
    assert upload(tree, f"{url}2", environ, skip("none")).uploaded == 7
    (tree / "a0").unlink()
    (tree / "a" / "two.html").unlink()
    (tree / "one.txt").unlink()
    ran = bulkput("upload", "--delete-extra", "--exclude", "*.txt", tree, f"{url}/sub", "--json", environ=environ)
    assert ran.exit_code == 0
    assert {row["key"] for row in ran.rows if row["event"] == "removed"} == {"p/sub/a0", "p/sub/a/two.html"}
    assert "sub/one.txt" in names(url + "/", environ)
    assert asyncio.run(library.verify(tree, f"{url}/sub", environ=environ)).extra == 1
    assert len(names(f"{url}2", environ)) == 7


def test_an_incomplete_mirror_removes_nothing(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload --delete-extra: a file failed, over 1 000 extras, or no file at all: exit 1"""
    assert upload(tree, url, environ, skip("none")).uploaded == 7
    (tree / "z").unlink()
    odd = os.fsencode(tree) + b"/\xff"
    Path(os.fsdecode(odd)).touch()
    ran = bulkput("upload", "--delete-extra", "--skip", "identical", tree, url, environ=environ)
    assert (ran.exit_code, "not removed: 1 object without a file: 1 failed" in ran.err) == (1, True)
    os.unlink(odd)
    few = SkipOptions(mode="identical", delete_extra=True, max_deleted=0)
    for is_dry in (True, False):
        summary = upload(tree, url, environ, UploadOptions(skip=few, dry_run=is_dry))
        assert (summary.exit_code, summary.kept, summary.removed, summary.would_remove) == (1, 1, 0, is_dry)
    nothing = UploadOptions(skip=SkipOptions(delete_extra=True), walk=WalkOptions(include=("*.none",)))
    assert upload(tree, url, environ, nothing).kept == 0  # no object is below its filters
    for path in sorted(tree.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (tree / "left").mkdir()
    summary = upload(tree, url, environ, UploadOptions(skip=SkipOptions(delete_extra=True)))
    assert (summary.exit_code, summary.kept) == (1, 7)
    assert len(names(url, environ)) == 7


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--delete-extra", "--journal", "j.db"), "exclude each other"),
        (("--yes",), "--yes needs --delete-extra or --expire-extra"),
        (("--keep-for", "14d"), "--keep-for needs --delete-extra"),
        (("--delete-extra", "--expire-extra", "14d"), "--expire-extra excludes --delete-extra and --keep-for"),
        (("--keep-for", "1d", "--expire-extra", "14d"), "--expire-extra excludes --delete-extra and --keep-for"),
        (("--expire-extra", "soon"), "is not a duration"),
        (("--expire-extra", "14d", "--journal", "j.db"), "--expire-extra and --journal exclude each other"),
        (("--expire-extra", "14d", "{tree}/z"), "--expire-extra needs a directory"),
        (("--expire-extra", "14d", "{tree}/none"), "is empty: --expire-extra would remove"),
        (("--skip", "some"), "Invalid value for '--skip'"),
        (("--delete-extra", "{tree}/z"), "needs a directory"),
        (("--delete-extra", "{tree}/none"), "is empty"),
    ],
)
def test_wrong_skip_and_mirror_arguments_are_refused(
    environ: Mapping[str, str], url: str, tree: Path, tmp_path: Path, flags: tuple[str, ...], says: str
) -> None:
    """bulkput upload --skip, --delete-extra or --yes with wrong arguments: exit 2, one sentence"""
    words = [flag.replace("{tree}", str(tree)) for flag in flags]
    sources = [] if words[-1].startswith(str(tree)) else [tree]
    ran = bulkput("upload", *words, *sources, url, environ=environ, cwd=tmp_path)
    assert (ran.exit_code, says in ran.err) == (2, True), ran.err


def test_plain_http_is_checked_with_a_head_for_each_file(nginx: NginxDav, tree: Path) -> None:
    """bulkput upload --skip existing: --skip identical proves nothing and sends; --delete-extra is refused"""
    to = f"{nginx.url}/{uuid.uuid4().hex[:8]}/"
    assert upload(tree, to, {}, skip("existing")).requests == {"OPTIONS": 1, "HEAD": 8, "PUT": 7}
    assert upload(tree, to, {}, skip("existing")).requests == {"HEAD": 7}
    for path in tree.rglob("*"):
        os.utime(path, (1, 1))  # nginx gives mtimes of objects in whole seconds
    assert upload(tree, to, {}, skip("unchanged")).requests == {"HEAD": 7}
    assert upload(tree, to, {}, skip("identical")).uploaded == 7
    ran = bulkput("upload", "--delete-extra", tree, to)
    assert (ran.exit_code, "plain HTTP has no listing" in ran.err) == (2, True), ran.err
    ran = bulkput("upload", "--expire-extra", "14d", tree, to)
    assert (ran.exit_code, "--expire-extra does not work here" in ran.err) == (2, True), ran.err


def test_each_directory_gets_one_marker(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload --dir-markers: an empty one too; ls, verify, --skip and --delete-extra know markers"""
    markers = UploadOptions(dir_markers=True)
    other = tree.parent / "other"
    (other / "a" / "c").mkdir(parents=True)
    summary = asyncio.run(library.upload([tree, other], url, options=markers, environ=environ))
    assert (summary.uploaded, summary.requests["PUT"]) == (11, 12)
    for empty in (f"{url}/none", f"{url}/none/"):
        ran = bulkput("ls", empty, environ=environ)
        assert (ran.exit_code, ran.out) == (0, "")
    assert bulkput("ls", f"{url}/nothing/", environ=environ).exit_code == 1
    one_level = bulkput("ls", url, environ=environ).out.split()
    assert one_level == ["p/a/", "p/a-b", "p/a0", "p/empty", "p/none/", "p/one.txt", "p/z"]
    found = {row["name"]: row for row in rows(url, environ)}
    marked = {name for name, row in found.items() if row["content_type"] == "application/directory"}
    assert (marked, {found[name]["bytes"] for name in marked}) == ({"p/a", "p/a/b", "p/a/c", "p/none"}, {0})
    (other / "a" / "c").rmdir()
    for mode in MODES:
        again = upload(tree, url, environ, skip(mode, dir_markers=True))
        assert (again.uploaded, again.skipped) == (0, 10)
    verified = asyncio.run(library.verify(tree, url, environ=environ))
    assert (verified.identical, verified.extra) == (10, 1)
    (tree / "late").mkdir()
    assert asyncio.run(library.verify(tree, url, environ=environ)).missing == 0
    assert asyncio.run(library.verify(tree, url, options=markers, environ=environ)).missing == 1
    mirrored = upload(tree, url, environ, UploadOptions(skip=SkipOptions(mode="identical", delete_extra=True)))
    assert (mirrored.uploaded, mirrored.removed) == (0, 1)
    assert asyncio.run(library.verify(tree, url, environ=environ)).is_identical


def test_a_journal_knows_markers(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload --dir-markers --journal: a second run makes no request"""
    options = UploadOptions(dir_markers=True, journal=str(tree.parent / "j.db"))
    assert upload(tree, url, environ, options).uploaded == 10
    assert upload(tree, url, environ, options).requests == {}


@pytest.mark.parametrize("encode", ["strict", "percent"])
@pytest.mark.parametrize("gzip", ["never", "always"])
def test_directory_markers_keep_their_names_with_gzip_and_percent(
    environ: Mapping[str, str], url: str, tree: Path, encode: str, gzip: str
) -> None:
    """bulkput upload --dir-markers --gzip-as suffix --encode-names percent: markers get no .gz"""
    gzipping = GzipOptions(mode=gzip, store_as="suffix")  # type: ignore[arg-type]
    options = skip("identical", dir_markers=True, encode_names=encode, gzip=gzipping)
    assert upload(tree, url, environ, options).uploaded == 10
    assert {"a", "a/b", "none"} < set(names(url, environ))
    assert upload(tree, url, environ, options).skipped == 10
    assert asyncio.run(library.verify(tree, url, options=options, environ=environ)).is_identical


def test_a_directory_marker_never_takes_the_name_of_a_file(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload --gzip-as suffix --dir-markers: next to file z, directory z.gz gets no marker"""
    (tree / "z.gz").mkdir()
    options = skip("identical", dir_markers=True, gzip=GzipOptions(mode="always", store_as="suffix"))
    assert upload(tree, url, environ, options).uploaded == 10
    assert upload(tree, url, environ, options).skipped == 10
    assert {row["content_type"] for row in rows(url, environ) if row["name"] == "p/z.gz"} == {"application/gzip"}


def test_a_directory_without_a_marker_does_not_stop_a_mirror(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload --gzip always --gzip-as suffix --delete-extra: file z next to directory z.gz"""
    (tree / "z.gz").mkdir()
    (tree / "z.gz" / "x").touch()
    (tree / "extra").touch()
    gzip = GzipOptions(mode="always", store_as="suffix")
    assert upload(tree, url, environ, UploadOptions(gzip=gzip)).uploaded == 9
    (tree / "extra").unlink()
    mirror = UploadOptions(gzip=gzip, skip=SkipOptions(mode="identical", delete_extra=True))
    done = upload(tree, url, environ, mirror)
    assert (done.exit_code, done.uploaded, done.removed, done.kept) == (0, 0, 1, 0)
    assert asyncio.run(library.verify(tree, url, options=UploadOptions(gzip=gzip), environ=environ)).is_identical


def test_a_journal_knows_the_markers_of_a_compressed_tree(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload --dir-markers --journal --gzip always --gzip-as suffix: a second run makes no request"""
    gzip = GzipOptions(mode="always", store_as="suffix")
    options = UploadOptions(dir_markers=True, gzip=gzip, journal=str(tree.parent / "j.db"))
    assert upload(tree, url, environ, options).uploaded == 10
    assert upload(tree, url, environ, options).requests == {}


@pytest.mark.parametrize("encode", ["strict", "percent"])
def test_a_mirror_keeps_objects_of_entries_that_are_not_regular_files(
    environ: Mapping[str, str], url: str, tree: Path, encode: Literal["strict", "percent"]
) -> None:
    """bulkput upload --delete-extra: dangling symlink, unfollowed symlink, FIFO, filtered directory"""
    (tree / "build").mkdir()
    (tree / "build" / "x").touch()
    everything = UploadOptions(dir_markers=True, encode_names=encode)
    assert upload(tree, url, environ, everything).uploaded == 12
    for name in ("a", "build"):
        (tree / name).rename(tree.parent / name)
    (tree / "a").symlink_to(tree.parent / "unmounted")
    (tree / "a0").unlink()
    (tree / "a0").symlink_to(tree.parent / "elsewhere")
    (tree / "a-b").unlink()
    os.mkfifo(tree / "a-b")
    mirror = UploadOptions(
        skip=SkipOptions(mode="identical", delete_extra=True),
        walk=WalkOptions(exclude=("build/",), follow_symlinks=True),
        encode_names=encode,
    )
    done = upload(tree, url, environ, mirror)
    assert (done.exit_code, done.removed, done.kept) == (0, 0, 0)
    assert len(names(url, environ)) == 12


def test_a_mirror_removes_the_object_of_a_file_that_became_a_directory(
    environ: Mapping[str, str], url: str, tree: Path
) -> None:
    """bulkput upload --skip identical --delete-extra"""
    assert upload(tree, url, environ, skip("none")).uploaded == 7
    (tree / "z").unlink()
    (tree / "z").mkdir()
    (tree / "z" / "new").touch()
    done = upload(tree, url, environ, UploadOptions(skip=SkipOptions(mode="identical", delete_extra=True)))
    assert (done.uploaded, done.removed, "z" in names(url, environ)) == (1, 1, False)


def test_a_source_without_files_stops_all_removals(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload --delete-extra A B: B has a directory left but no file; exit 1"""
    other = tree.parent / "other"
    (other / "left").mkdir(parents=True)
    (other / "left" / "file").touch()
    both = [tree, other]
    assert asyncio.run(library.upload(both, url, environ=environ)).uploaded == 8
    (other / "left" / "file").unlink()
    mirror = UploadOptions(skip=SkipOptions(mode="identical", delete_extra=True))
    done = asyncio.run(library.upload(both, url, options=mirror, environ=environ))
    assert (done.exit_code, done.kept, done.removed) == (1, 1, 0)


async def test_list_objects_with_a_delimiter_gives_virtual_directories(devserver: DevServer, tmp_path: Path) -> None:
    """bulkput.list_objects(url, delimiter="/"): containers horror and comics with virtual directories"""
    shelves = {
        "horror": ["poe/the_raven", "poe/the_tell-tale_heart", "dracula"],
        "comics": ["larson/the_far_side_gallery", "watterson/calvin_and_hobbes", "watterson/the_days_are_just_packed"],
    }
    environ = environ_of(devserver)
    for container, books in shelves.items():
        for book in books:
            (tmp_path / container / book).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / container / book).write_text(book)
        options = UploadOptions(dir_markers=container == "comics")
        await library.upload(tmp_path / container, f"swift://{container}", options=options, environ=environ)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        listed = {
            url: [item async for item in library.list_objects(url, options=library.ListOptions(delimiter="/"))]
            for url in ("swift://horror", "swift://comics", "swift://horror/poe/")
        }
    assert [item.name for item in listed["swift://horror"]] == ["dracula", "poe/"]
    assert listed["swift://comics"] == [Prefix("larson/"), Prefix("watterson/")]
    assert [item.name for item in listed["swift://horror/poe/"]] == ["poe/the_raven", "poe/the_tell-tale_heart"]


async def filled(devserver: DevServer, count: int) -> None:
    """Creates a container with `count` objects of one byte."""
    pieces, etag = (b"x",), hashlib.md5(b"x").hexdigest()
    devserver.store.create("c", ())
    container = devserver.store.containers["c"]
    for n in range(count):
        container.enter(StoredObject(f"{n // 1000:04d}/{n:06d}", 1, etag, "text/plain", 4e9, (), pieces))


async def test_a_listing_takes_a_request_for_ten_thousand_objects(devserver: DevServer, tmp_path: Path) -> None:
    """bulkput upload --skip MODE of 3 000 files to 30 000 objects: a login and three pages"""
    await filled(devserver, 30_000)
    (tmp_path / "x").write_bytes(b"x")
    for n in range(0, 30_000, 10):
        path = tmp_path / "tree" / f"{n // 1000:04d}" / f"{n:06d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(tmp_path / "x", path)
    for mode in MODES:
        done = await library.upload(tmp_path / "tree", "swift://c", options=skip(mode), environ=environ_of(devserver))
        assert (done.skipped, done.uploaded, done.requests) == (3_000, 0, {"GET": 4})


async def test_a_few_files_do_not_list_the_whole_container(devserver: DevServer, tmp_path: Path) -> None:
    """bulkput upload --skip MODE of 6 files among 60 000 objects: one page, a HEAD for each file beyond it"""
    await filled(devserver, 60_000)
    for n in (5, 10_500, 20_500, 35_000, 59_999):
        path = tmp_path / f"{n // 1000:04d}" / f"{n:06d}"
        path.parent.mkdir()
        path.write_bytes(b"x")
    (tmp_path / "0020" / "new").write_bytes(b"x")
    for mode in ("identical", "unchanged", "existing"):
        environ = environ_of(devserver)
        done = await library.upload(tmp_path, "swift://c", options=skip(mode), environ=environ)  # type: ignore[arg-type]
        is_first = mode == "identical"
        assert (done.uploaded, done.skipped) == ((1, 5) if is_first else (0, 6))
        assert done.requests == {"GET": 2, "HEAD": 5} | ({"PUT": 1} if is_first else {})


def test_a_directory_is_moved_with_its_marker(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput mv -r of a directory, and of a lone marker: no object stays behind"""
    assert upload(tree, url, environ, UploadOptions(dir_markers=True)).uploaded == 10
    for name in ("a", "none"):
        ran = bulkput("mv", "-r", f"{url}/{name}", f"{url}/moved-{name}", environ=environ)
        assert ran.exit_code == 0, ran.err
    ran = bulkput("ls", url, environ=environ)
    assert ran.out.split() == ["p/a-b", "p/a0", "p/empty", "p/moved-a/", "p/moved-none/", "p/one.txt", "p/z"]
    assert {"moved-a", "moved-a/b", "moved-none"} < set(names(url, environ))
