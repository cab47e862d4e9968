"""Output: names outside the encoding of a stream, and output files that lie inside the source."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.cli import Ran, bulkput

NAMES = ("plain", "naïve-日")
ESCAPED = "na\\xefve-\\u65e5"
EXTRA = "é-only-there"


@pytest.fixture
def container() -> str:
    return f"c-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with an ASCII name, a name outside ASCII, and a name that is not UTF-8."""
    root = tmp_path / "tree"
    root.mkdir()
    for name in NAMES:
        (root / name).write_text(name)
    with open(os.fsencode(root) + b"/bad-\xff", "w") as file:
        file.write("bad")
    return root


def test_a_name_outside_the_stream_encoding_is_escaped(environ: Mapping[str, str], container: str, tree: Path) -> None:
    """PYTHONIOENCODING=ascii bulkput VERB: the exit code is the same as for any other name"""
    url, log = f"swift://{container}", tree.parent / "日.log"
    log.write_text('1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "GET /v1/A/c/%FFé日 HTTP/1.0" 200 23\n')

    def run(exit_code: int, *arguments: str | Path) -> Ran:
        ran = bulkput(*arguments, environ={**environ, "PYTHONIOENCODING": "ascii"})
        assert ran.exit_code == exit_code, (arguments, ran.err)
        assert "Traceback" not in ran.err and (ran.out + ran.err).isascii()
        return ran

    assert f"-> {ESCAPED} (" in run(1, "upload", "--dry-run", tree, url).out
    assert f"-> {ESCAPED}" in run(1, "upload", "-v", tree, url).err
    assert "bad-\\xff" in run(1, "upload", "-q", tree, url).err
    assert run(1, "upload", "--json", tree, url).out.count("\\u65e5") == 2
    assert run(1, "upload", "--summary", "-", "-q", tree, url).summary["failures"][0]["path"].endswith("bad-\udcff")
    assert run(0, "ls", "--timeout", "60", url).out.splitlines() == [ESCAPED, "plain"]
    assert run(0, "ls", "-l", "-r", url).out.splitlines()[0].endswith(ESCAPED)
    assert [row["name"] for row in run(0, "ls", "--json", url).rows] == ["naïve-日", "plain"]
    assert "e9" in run(1, "ls", f"{url}/{EXTRA}").err
    bulkput("upload", tree / "plain", f"{url}/{EXTRA}", environ=environ)
    assert "extra \\xe9-only-there" in run(1, "verify", tree, url).out
    assert "\\u00e9-only-there" in run(1, "verify", "--json", tree, url).out
    assert f"copied: {ESCAPED} -> " in run(0, "cp", "-r", "-v", url, f"{url}-2").out
    assert f"moved: {ESCAPED} -> " in run(0, "mv", "-r", "-v", f"{url}-2", f"{url}-3").out
    assert f"would remove: {ESCAPED}" in run(0, "rm", "-r", "--dry-run", f"{url}-3").out
    assert f"removed: {ESCAPED}" in run(0, "rm", "-r", "--yes", "-v", f"{url}-3").out
    assert "\\xe9\\u65e5" in run(0, "logs", log).out
    assert "\\xe9\\u65e5" in run(0, "logs", "--csv", log).out


def test_status_prints_names_outside_the_stream_encoding(
    environ: Mapping[str, str], container: str, tree: Path
) -> None:
    """PYTHONIOENCODING=ascii bulkput status [--json]; in JSON a byte that is not UTF-8 is \\udcXX, for os.fsencode"""
    spoilt = tree.rename(tree.parent / "bäume")
    journal = tree.parent / "up.db"
    assert bulkput("upload", "--journal", journal, spoilt, f"swift://{container}", environ=environ).exit_code == 1
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    told = bulkput("status", journal, environ=ascii_only)
    assert told.exit_code == 1 and "b\\xe4ume" in told.out and "bad-\\xff" in told.out
    rows = bulkput("status", "--json", journal, environ=ascii_only).rows
    assert [os.fsencode(row["path"]).rpartition(b"/")[2] for row in rows] == [
        b"bad-\xff",
        "naïve-日".encode(),
        b"plain",
    ]


OWN = "the run's own output"


def test_the_output_files_of_a_run_are_not_uploaded(environ: Mapping[str, str], container: str, tmp_path: Path) -> None:
    """bulkput upload --json --summary s.json --trace t.jsonl --journal j.db . swift://c >out.json 2>err.txt

    A second run does not upload the files of the first one either, and a symlink to one is not uploaded.
    """
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_text("a file")
    (tree / "link").symlink_to("out.json")
    (tree / "s.json").write_text("of the run before")
    command = "upload --json --summary s.json --trace t.jsonl --journal j.db . swift://" + container
    for _ in range(2):
        written = f"cd {tree} && {sys.executable} -m bulkput {command} >out.json 2>err.txt"
        assert subprocess.run(["sh", "-c", written], env={**os.environ, **environ}, check=False).returncode == 0
        assert [json.loads(row)["name"] for row in _listed(environ, container)] == ["file"]
        summary = json.loads((tree / "s.json").read_text())
        # s.json, t.jsonl, j.db with -wal and -shm, out.json, link, err.txt
        assert summary["skipped_by_reason"][OWN] == 8 and summary["failed"] == 0
        skipped = [row for row in map(json.loads, (tree / "out.json").read_text().splitlines()) if "reason" in row]
        assert {row["reason"] for row in skipped} == {"own_output"}


def _listed(environ: Mapping[str, str], container: str) -> list[str]:
    return bulkput("ls", "-r", "--json", f"swift://{container}", environ=environ).out.splitlines()


def test_a_mirror_keeps_an_object_named_like_its_own_output_file(
    environ: Mapping[str, str], container: str, tmp_path: Path
) -> None:
    """bulkput upload --delete-extra --summary DIR/s.json DIR swift://c, after an upload of s.json"""
    (tmp_path / "file").write_text("a file")
    (tmp_path / "s.json").write_text("uploaded by another command")
    (tmp_path / "gone").write_text("removed here")
    assert bulkput("upload", tmp_path, f"swift://{container}", environ=environ).exit_code == 0
    (tmp_path / "gone").unlink()
    mirror = ("--skip", "identical", "--delete-extra", "--summary", tmp_path / "s.json")
    assert bulkput("upload", *mirror, tmp_path, f"swift://{container}", environ=environ).exit_code == 0
    assert [json.loads(row)["name"] for row in _listed(environ, container)] == ["file", "s.json"]
    lone = ("--summary", tmp_path / "s.json", tmp_path / "s.json", f"swift://{container}/new")
    assert bulkput("upload", *lone, environ=environ).exit_code == 0
    assert json.loads((tmp_path / "s.json").read_text())["skipped_by_reason"] == {OWN: 1}


def test_verify_does_not_report_its_own_output_file_as_missing(
    environ: Mapping[str, str], container: str, tmp_path: Path
) -> None:
    """bulkput verify DIR swift://c >DIR/found.txt"""
    (tmp_path / "file").write_text("a file")
    assert bulkput("upload", tmp_path, f"swift://{container}", environ=environ).exit_code == 0
    command = f"cd {tmp_path} && {sys.executable} -m bulkput verify . swift://{container} >found.txt 2>said.txt"
    assert subprocess.run(["sh", "-c", command], env={**os.environ, **environ}, check=False).returncode == 0
    assert (tmp_path / "found.txt").read_text() == ""
