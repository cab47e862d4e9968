"""Which entries of the sources are uploaded and what is reported about the others, against the devserver."""

import asyncio
import gzip
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile

import pytest

import bulkput as library
from bulkput import events as ev
from bulkput.devserver import DevServer
from bulkput.options import BodyOptions, FileListOptions, GzipOptions, SkipOptions, UploadOptions, WalkOptions
from tests.conftest import environ_of
from tests.e2e.cli import Ran, bulkput
from tests.e2e.forks import run


@pytest.fixture
def url() -> str:
    return f"swift://c-{uuid.uuid4().hex[:8]}/p"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Four files of 1 to 4 bytes in two levels, and two empty directories."""
    root = tmp_path / "tree"
    (root / "d" / "none").mkdir(parents=True)
    (root / "none").mkdir()
    for size, name in enumerate(("a", "d/b", "d/c", "e"), start=1):
        (root / name).write_text("x" * size)
    return root


def fed(text: bytes, *arguments: str | Path, environ: Mapping[str, str], cwd: Path) -> Ran:
    """Runs the command with `text` on its stdin, which is a pipe."""
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    with open(reading, "rb") as source, TemporaryFile() as out, TemporaryFile() as err:
        streams = source.fileno(), out.fileno(), err.fileno()
        exit_code = run(list(map(str, arguments)), {**os.environ, **environ}, cwd, streams)
        out.seek(0)
        err.seek(0)
        return Ran(exit_code, out.read().decode(), err.read().decode())


def names(url: str, environ: Mapping[str, str]) -> list[str]:
    return bulkput("ls", "-r", url, environ=environ).out.split()


def test_files_are_read_from_a_list_on_stdin(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """find -print0 | bulkput upload --files-from - --null --journal J: the same list makes no request again"""
    arguments = ("upload", "--files-from", "-", "--null", "--journal", tree.parent / "j", url, "--summary", "-")
    text = b"./e\0./d/b\0./d/b\0"
    first = fed(text, *arguments, environ=environ, cwd=tree)
    assert (first.exit_code, first.summary["uploaded"], names(url, environ)) == (0, 2, ["p/d/b", "p/e"]), first.err
    second = fed(text + b"d/c\0", *arguments, environ=environ, cwd=tree)
    assert (second.exit_code, second.summary["uploaded"], second.summary["skipped"]) == (0, 1, 2)
    third = fed(text, *arguments, environ=environ, cwd=tree)
    assert (third.exit_code, third.summary["requests"]) == (0, {})


def test_a_listed_file_that_cannot_be_read_fails_alone(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload --files-from LIST --base TREE: exit 1 with each name; the other files are stored"""
    (tree.parent / "list").write_text("none.txt\ne\n../list\n\na\nd\n")
    ran = bulkput("upload", "--files-from", tree.parent / "list", "--base", tree, url, environ=environ)
    assert (ran.exit_code, names(url, environ)) == (1, ["p/a", "p/e"])
    assert f"read {tree}/none.txt: vanished: the list names it, but it does not exist" in ran.err
    assert f"read {tree}/../list: name: it is not below the base {tree}" in ran.err
    assert "2 uploaded, 1 skipped, 2 failed of 5 found" in ran.err


def test_a_file_list_works_with_skip_gzip_dry_run_and_verify(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload and verify --files-from LIST: other files and objects are not looked at"""
    (tree / "e").write_text("e" * 5000)
    (tree.parent / "list").write_text("e\nd/b\n")
    listed = ("--files-from", tree.parent / "list", "--base", tree)
    assert bulkput("upload", tree / "d", url, environ=environ).exit_code == 0
    dry = bulkput("upload", "--dry-run", *listed, url, environ=environ)
    assert (dry.exit_code, len(dry.out.splitlines())) == (0, 2)
    suffix = ("--gzip", "always", "--gzip-as", "suffix", "--gzip-except", "b")
    assert bulkput("upload", *suffix, *listed, url, environ=environ).exit_code == 0
    assert names(url, environ) == ["p/b", "p/c", "p/d/b", "p/e.gz"]
    again = bulkput("upload", "--skip", "identical", *suffix, *listed, url, "--summary", "-", environ=environ)
    assert (again.exit_code, again.summary["skipped"]) == (0, 2)
    ran = bulkput("verify", *suffix, *listed, url, environ=environ)
    assert (ran.exit_code, ran.out) == (0, "")
    assert ran.err.startswith("2 identical; ")
    percent = bulkput("verify", "--encode-names", "percent", *suffix, *listed, url, environ=environ)
    assert percent.err.startswith("2 identical; ")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--files-from", "-", "tree", "URL"), "--base instead"),
        (("--files-from", "-", "--delete-extra", "URL"), "exclude each other"),
        (("--files-from", "-"), "wants a DEST"),
        (("--base", "tree", "tree", "URL"), "need --files-from"),
        (("--files-from", "none", "URL"), "--files-from none: No such file"),
        (("--exclude-from", "none", "tree", "URL"), "--exclude-from none: No such file"),
    ],
)
def test_options_that_conflict_with_a_file_list_are_refused(
    environ: Mapping[str, str], url: str, tree: Path, arguments: tuple[str, ...], why: str
) -> None:
    """bulkput upload --files-from with another option: exit 2; the message says what to write instead"""
    words = [url if word == "URL" else word for word in arguments]
    ran = bulkput("upload", *words, environ=environ, cwd=tree.parent)
    assert (ran.exit_code, ran.out) == (2, "")
    assert why in ran.err


async def test_the_first_object_is_stored_before_the_list_ends(devserver: DevServer, tree: Path) -> None:
    """bulkput.upload with a list that is a FIFO: its writer may take hours"""
    os.mkfifo(tree.parent / "fifo")
    writing = await asyncio.to_thread(os.open, tree.parent / "fifo", os.O_RDWR)
    os.write(writing, b"a\n")
    is_stored = asyncio.Event()

    def see(event: ev.Event) -> None:
        if isinstance(event, ev.Uploaded):
            is_stored.set()

    options = UploadOptions(files=FileListOptions(path=str(tree.parent / "fifo"), base=str(tree)))
    running = asyncio.create_task(
        library.upload((), "swift://c", options=options, on_event=see, environ=environ_of(devserver))
    )
    await is_stored.wait()
    os.write(writing, b"d/b\n")
    os.close(writing)
    assert (await running).uploaded == 2


def test_patterns_are_read_from_files(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload --exclude-from .gitignore --include-from FILE TREE DEST"""
    (tree / ".gitignore").write_text("# what is made\n\n/d/c\n*.tmp\n.gitignore\n")
    (tree.parent / "wanted").write_text("d/\na\n")
    patterns = ("--exclude-from", tree / ".gitignore", "--include-from", tree.parent / "wanted")
    ran = bulkput("upload", *patterns, tree, url, environ=environ)
    assert (ran.exit_code, names(url, environ)) == (0, ["p/a", "p/d/b"])
    assert "warning: --exclude '*.tmp' matched nothing" in ran.err
    assert "what is made" not in ran.err


def test_an_exclude_that_matches_nothing_is_a_warning(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload --exclude './d/*' --exclude /abs/tree/e --exclude '#*' --exclude x.*"""
    excludes = ("--exclude", "./d/*", "--exclude", f"{tree}/e", "--exclude", "#*", "--exclude", "x.*")
    ran = bulkput("upload", *excludes, tree, url, environ=environ)
    assert (ran.exit_code, names(url, environ)) == (0, ["p/a"])
    assert [line for line in ran.err.splitlines() if line.startswith("warning")] == [
        r"warning: --exclude '#*' is a comment in gitignore syntax and matches nothing: write '\#*'",
        "warning: --exclude 'x.*' matched nothing",
    ]
    verified = bulkput("verify", *excludes, tree, url, environ=environ)
    assert (verified.exit_code, verified.err.count("warning")) == (0, 2)
    quiet = bulkput("upload", "-q", *excludes, tree, url, environ=environ)
    assert (quiet.exit_code, quiet.err) == (0, "")


@pytest.mark.parametrize("verb", ["upload", "verify"])
def test_a_pattern_also_excludes_a_file_that_is_a_source(
    environ: Mapping[str, str], url: str, tree: Path, verb: str
) -> None:
    """bulkput VERB FILE FILE --exclude e: a shell may have expanded `*` to these files"""
    assert bulkput("upload", tree / "a", tree / "e", url, "--exclude", "e", environ=environ).exit_code == 0
    assert names(url, environ) == ["p/a"]
    ran = bulkput(verb, tree / "a", tree / "e", url, "--exclude", "e", environ=environ)
    assert (ran.exit_code, "warning" in ran.err) == (0, False)


@pytest.mark.parametrize("flags", [["--include", "*.whl"], ["--min-age", "1h"], ["--min-size", "1G"]])
def test_finding_no_file_is_a_warning_and_with_fail_if_empty_a_failure(
    environ: Mapping[str, str], url: str, tree: Path, flags: list[str]
) -> None:
    """bulkput upload --fail-if-empty: exit 1 with a sentence"""
    ran = bulkput("upload", *flags, tree, url, environ=environ)
    assert (ran.exit_code, f"warning: no file was found in {tree}" in ran.err) == (0, True)
    ran = bulkput("upload", "--fail-if-empty", *flags, tree, url, "--summary", "-", environ=environ)
    assert (ran.exit_code, f"failed: no file was found in {tree}" in ran.err) == (1, True)
    assert ran.summary["nothing_found"] is True
    assert bulkput("verify", "--fail-if-empty", *flags, tree, url, environ=environ).exit_code == 1
    assert bulkput("verify", *flags, tree, url, environ=environ).exit_code == 0


def test_a_run_that_skips_every_file_is_not_empty(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload --fail-if-empty --journal J, and --skip existing: exit 0 each time"""
    for more in (("--journal", tree.parent / "j"), ("--journal", tree.parent / "j"), ("--skip", "existing")):
        ran = bulkput("upload", "--fail-if-empty", *more, tree, url, environ=environ)
        assert (ran.exit_code, "no file was found" in ran.err) == (0, False)


def test_a_mirror_counts_files_left_out_by_size_and_keeps_their_objects(
    environ: Mapping[str, str], url: str, tree: Path
) -> None:
    """bulkput upload --max-size 2 --delete-extra: neither upload nor verify calls such an object extra"""
    assert bulkput("upload", tree, url, environ=environ).exit_code == 0
    (tree / "d" / "b").unlink()
    limits = ("--max-size", "2")
    how = ("--skip", "identical", "--delete-extra", "--summary", "-")
    mirror = bulkput("upload", *limits, *how, tree, url, environ=environ)
    assert (mirror.exit_code, names(url, environ)) == (0, ["p/a", "p/d/c", "p/e"])
    assert mirror.summary["skipped_by_reason"]["larger than --max-size"] == 2
    ran = bulkput("verify", *limits, tree, url, environ=environ)
    assert (ran.exit_code, ran.out) == (0, "")
    assert ran.err.startswith("1 identical; ")


def test_a_mirror_of_recent_files_keeps_the_objects_of_old_ones(
    environ: Mapping[str, str], url: str, tree: Path
) -> None:
    """bulkput upload --max-age 1d --delete-extra --gzip always --gzip-as suffix"""
    compressed = ("--gzip", "always", "--gzip-as", "suffix")
    assert bulkput("upload", *compressed, tree, url, environ=environ).exit_code == 0
    os.utime(tree / "d" / "c", (0, 0))
    mirror = ("--max-age", "1d", "--delete-extra", *compressed)
    ran = bulkput("upload", *mirror, tree, url, "--summary", "-", environ=environ)
    assert (ran.exit_code, len(names(url, environ))) == (0, 4), ran.err
    assert ran.summary["skipped_by_reason"]["older than --max-age"] == 1


def test_a_mirror_keeps_objects_of_files_on_another_file_system(
    environ: Mapping[str, str], url: str, tree: Path
) -> None:
    """bulkput upload --one-file-system --follow-symlinks --delete-extra"""
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tree.stat().st_dev:
        pytest.skip("there is no other file system")
    mounted = other / f"bulkput-{uuid.uuid4().hex[:8]}"
    mounted.mkdir()
    try:
        (mounted / "x").touch()
        (tree / "mnt").symlink_to(mounted)
        assert bulkput("upload", "--follow-symlinks", tree, url, environ=environ).exit_code == 0
        flags = ("--follow-symlinks", "--one-file-system", "--delete-extra", "--skip", "existing")
        ran = bulkput("upload", *flags, tree, url, "--summary", "-", environ=environ)
        assert (ran.exit_code, "p/mnt/x" in names(url, environ)) == (0, True)
        assert ran.summary["skipped_by_reason"]["on another file system"] == 1
        ran = bulkput("verify", *flags[:2], tree, url, environ=environ)
        assert (ran.exit_code, ran.out) == (0, "")
    finally:
        (mounted / "x").unlink()
        mounted.rmdir()


def test_empty_directories_without_a_marker_are_counted(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput upload: -v prints a line for each; with --dir-markers none is left out"""
    ran = bulkput("upload", tree, url, "--summary", "-", environ=environ)
    assert (ran.exit_code, ran.summary["found"], ran.summary["empty_directories"]) == (0, 4, 2)
    assert "  left out 2 empty directories (--dir-markers makes an object for each directory)" in ran.err
    assert f"{tree}/none" not in ran.err
    assert "left out 2 empty directories" in bulkput("upload", "--dry-run", tree, url, environ=environ).err
    assert f"left out: {tree}/d/none: empty directory" in bulkput("upload", "-v", tree, url, environ=environ).err
    mirror = bulkput("upload", "--skip", "existing", "--delete-extra", tree, url, "--summary", "-", environ=environ)
    assert (mirror.exit_code, mirror.summary["empty_directories"]) == (0, 2)
    marked = bulkput("upload", "--dir-markers", tree, url, "--summary", "-", environ=environ)
    assert (marked.exit_code, marked.summary["uploaded"], "empty_directories" in marked.summary) == (0, 7, False)


@pytest.mark.parametrize("rest", ["/x", "../x", "./x", "x//y"])
def test_a_suspicious_destination_is_refused_without_literal(environ: Mapping[str, str], tree: Path, rest: str) -> None:
    """bulkput upload to a new, odd name: exit 2; with --literal its objects can be stored, listed and removed"""
    container = f"swift://c-{uuid.uuid4().hex[:8]}"
    odd = f"{container}/{rest}"
    for command in (("upload", tree, odd), ("verify", tree, odd), ("cp", f"{container}/a", odd), ("mv", odd, odd)):
        ran = bulkput(*command, environ=environ)
        assert (ran.exit_code, f"did you mean {container}/x" in ran.err) == (2, True)
    assert bulkput("upload", "--literal", tree / "a", odd, environ=environ).exit_code == 0
    assert names(container, environ) == [rest]
    assert bulkput("verify", "--literal", tree / "a", odd, environ=environ).exit_code == 0
    assert bulkput("cp", odd, f"{container}/even", environ=environ).exit_code == 0
    assert bulkput("cp", "--literal", f"{container}/even", f"{odd}/z", environ=environ).exit_code == 0
    assert bulkput("rm", "--yes", "-r", odd, environ=environ).exit_code == 0
    assert names(container, environ) == ["even"]


@pytest.mark.parametrize("mode", ["never", "always"])
async def test_a_growing_log_is_stored_at_its_first_size_with_changing_snapshot(
    devserver: DevServer, tmp_path: Path, mode: str
) -> None:
    """bulkput upload --changing snapshot --journal J [--gzip]: counted as a snapshot, and sent again next time"""
    log = tmp_path / "log"
    log.write_bytes(before := os.urandom(3_000_000))
    grew = 0

    def see(event: ev.Event) -> None:
        nonlocal grew
        if isinstance(event, ev.Streaming):
            grew += 1
            os.truncate(log, len(before) + grew)

    environ = environ_of(devserver)
    how = GzipOptions(mode="always") if mode == "always" else GzipOptions()
    options = UploadOptions(gzip=how, journal=str(tmp_path / "j"))
    failed = await library.upload(log, "swift://c/log", options=options, on_event=see, environ=environ)
    assert (failed.failed, failed.uploaded, grew > 0) == (1, 0, True)
    log.write_bytes(before)
    options = UploadOptions(gzip=how, journal=str(tmp_path / "j"), body=BodyOptions(changing="snapshot"))
    done = await library.upload(log, "swift://c/log", options=options, on_event=see, environ=environ)
    assert (done.exit_code, done.uploaded, done.snapshots, done.as_json()["snapshots"]) == (0, 1, 1, 1)
    async with library.open_store("swift://c", environ=environ) as store:
        assert store.powers.get is not None
        stored = b"".join([piece async for piece in store.powers.get("log")])
    assert (gzip.decompress(stored) if mode == "always" else stored) == before
    again = await library.upload(log, "swift://c/log", options=options, environ=environ)
    assert (again.uploaded, again.snapshots) == (1, 0)
    assert (await library.upload(log, "swift://c/log", options=options, environ=environ)).requests == {}


def test_the_library_takes_size_limits_as_options(environ: Mapping[str, str], url: str, tree: Path) -> None:
    """bulkput.upload(options=UploadOptions(walk=WalkOptions(max_size=2), skip=...))"""
    options = UploadOptions(walk=WalkOptions(max_size=2), skip=SkipOptions(mode="existing"))
    summary = asyncio.run(library.upload(tree, url, options=options, environ=environ))
    assert (summary.uploaded, summary.skipped_by_reason["larger than `walk.max_size`"]) == (2, 2)
