"""`upload --shard K/N` on several machines, and `status` of their journals."""

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.e2e.cli import Ran, bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.nginx import NginxDav
from tests.servers.swift import RealSwift

BY_BYTES = ("--shard-by", "bytes", "--base")


@pytest.fixture
def container() -> str:
    return f"c-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Thirty-six files of 0 to 350 000 bytes in three directories, an empty directory, and odd names."""
    root = tmp_path / "tree"
    (root / "empty").mkdir(parents=True)
    for number in range(36):
        place = root / "abc"[number % 3]
        place.mkdir(exist_ok=True)
        (place / f"f{number:02d} é\n").write_bytes(bytes([number]) * number * 10_000)
    return root


def names(tree: Path) -> set[str]:
    return {str(path.relative_to(tree)) for path in tree.rglob("f*")}


@pytest.fixture
def listed(tree: Path) -> Path:
    (tree.parent / "list").write_text("\0".join(names(tree)))
    return tree.parent / "list"


def journals(tree: Path, count: int) -> list[Path]:
    return [tree.parent / f"{shard}.db" for shard in range(1, count + 1)]


def upload(share: str, *arguments: str | Path, environ: Mapping[str, str]) -> Ran:
    return bulkput("upload", "--shard", share, "--summary", "-", *arguments, environ=environ)


@pytest.mark.swift
@pytest.mark.parametrize("how", ["tree", "list by hash", "list by bytes"])
def test_four_shards_are_the_whole_tree(how: str, tree: Path, listed: Path, swift: RealSwift, container: str) -> None:
    """bulkput upload --shard 1/4 ... 4/4: each object once, says a listing; status adds the journals up"""
    url = f"swift://{container}/p"
    if how == "tree":
        what: tuple[str | Path, ...] = (tree,)
    else:
        by = "bytes" if how.endswith("bytes") else "hash"
        what = ("--files-from", listed, "--null", "--base", tree, "--shard-by", by)
    runs = [
        upload(f"{shard}/4", "--journal", journal, *what, url, environ=swift.environment)
        for shard, journal in enumerate(journals(tree, 4), start=1)
    ]
    assert [run.exit_code for run in runs] == [0] * 4, runs
    sent = [run.summary["uploaded"] for run in runs]
    assert all(sent) and sum(sent) == 36
    assert [run.summary["elsewhere"] for run in runs] == [36 - count for count in sent]
    judge = SwiftJudge(swift.auth_url, swift.user, swift.key)
    assert set(judge.names(container)) == {f"p/{name}" for name in names(tree)}
    told = bulkput("status", *journals(tree, 4))
    assert told.exit_code == 0, told.out
    assert f"total: 36 uploaded ({36 * 35 * 5_000 / 1024**2:.1f} MiB), 0 failed" in told.out.splitlines()
    assert f"2.db: shard 2/4: {sent[1]} uploaded" in told.out
    again = upload("3/4", "--journal", journals(tree, 4)[2], *what, url, environ=swift.environment)
    assert (again.exit_code, again.summary["requests"]) == (0, {})
    assert bulkput("verify", tree, url, environ=swift.environment).exit_code == 0


@pytest.mark.nginx
def test_shards_of_a_tree_arrive_on_nginx(tree: Path, nginx: NginxDav, container: str) -> None:
    """bulkput upload --shard K/3 SOURCE http://...: then `diff -r` finds no difference"""
    url = f"{nginx.url}/{container}/"
    for shard in (1, 2, 3):
        assert upload(f"{shard}/3", tree, url, environ={}).exit_code == 0
    (tree / "empty").rmdir()
    subprocess.run(["diff", "-r", tree, nginx.root / container], check=True)


def test_status_says_which_shard_is_missing(tree: Path, environ: Mapping[str, str], container: str) -> None:
    """bulkput status 1.db 3.db: one missing, one twice, one of another place, one of a whole run"""
    url = f"swift://{container}/p"
    one, two, three = journals(tree, 3)
    for shard, journal in enumerate((one, two, three), start=1):
        assert upload(f"{shard}/3", "--journal", journal, tree, url, environ=environ).exit_code == 0
    told = bulkput("status", one, three)
    assert (told.exit_code, told.out.splitlines()[-1]) == (1, "shard 2/3 is missing")
    assert bulkput("status", one).exit_code == 1, "one alone is not the whole either"
    assert "this is shard 1/3, by hash" in bulkput("status", one).out
    second = tree.parent / "second.db"
    assert upload("2/3", "--journal", second, tree, f"swift://{container}/q", environ=environ).exit_code == 0
    told = bulkput("status", one, two, second, three)
    assert told.exit_code == 1
    assert told.out.splitlines()[-2] == f"shard 2/3 is given twice: {two}, {second}"
    assert told.out.splitlines()[-1].startswith("shards have different DEST: swift://"), told.out
    whole = tree.parent / "whole.db"
    assert bulkput("upload", "--journal", whole, tree, url, environ=environ).exit_code == 0
    assert f"{whole} is of a run without --shard" in bulkput("status", whole, one, two, three).out
    assert bulkput("status", whole, tree.parent / "whole.db").exit_code == 2
    assert bulkput("status", whole, tree).exit_code == 2


def test_status_prints_the_rows_of_several_journals_with_their_names(
    tree: Path, environ: Mapping[str, str], container: str
) -> None:
    """bulkput status --json 1.db 2.db: what is wrong with the set is on stderr"""
    every = journals(tree, 3)[:2]
    for shard, journal in enumerate(every, start=1):
        upload(f"{shard}/3", "--journal", journal, tree, f"swift://{container}/p", environ=environ)
    told = bulkput("status", "--json", *every)
    assert told.exit_code == 1 and "shard 3/3 is missing" in told.err
    assert {row["journal"] for row in told.rows} == set(map(str, every))
    assert "journal" not in bulkput("status", "--json", every[0]).rows[0]


def test_status_adds_up_journals_that_are_no_shards(tree: Path, environ: Mapping[str, str], container: str) -> None:
    """bulkput status a.db b.db: two uploads that have nothing to do with each other are done if both are"""
    for name in "ab":
        ran = bulkput("upload", "--journal", tree.parent / f"{name}.db", tree / name, f"swift://{container}/{name}",
                      environ=environ)  # fmt: skip
        assert ran.exit_code == 0, ran.err
    told = bulkput("status", tree.parent / "a.db", tree.parent / "b.db")
    assert told.exit_code == 0 and "total: 24 uploaded" in told.out, told.out


def test_the_journal_of_another_shard_is_refused(
    tree: Path, listed: Path, environ: Mapping[str, str], container: str
) -> None:
    """The same journal with another K, another N, no --shard, another --shard-by"""
    url, (journal, *_) = f"swift://{container}/p", journals(tree, 1)
    given = ("--journal", journal, tree, url)
    assert upload("1/3", *given, environ=environ).exit_code == 0
    for share in ("2/3", "1/4"):
        refused = upload(share, *given, environ=environ)
        assert refused.exit_code == 2 and f"is of a run with --shard 1/3, not {share}" in refused.err
    refused = bulkput("upload", *given, environ=environ)
    assert refused.exit_code == 2 and "with --shard 1/3, and this one has no --shard" in refused.err
    files = ("--files-from", listed, "--null", *BY_BYTES, tree)
    refused = upload("1/3", *files, "--journal", journal, url, environ=environ)
    assert refused.exit_code == 2 and "with --shard-by hash, not bytes" in refused.err
    verified = bulkput("verify", "--journal", journal, tree, url, environ=environ)
    assert verified.exit_code == 1 and "missing" in verified.out, "the whole is compared: two shards are not there"


def test_a_file_that_grows_between_two_shards_by_bytes_is_noticed(
    tree: Path, listed: Path, environ: Mapping[str, str], container: str
) -> None:
    """bulkput status 1.db 2.db: they were cut from different sizes; both again, and all is well"""
    files = ("--files-from", listed, "--null", *BY_BYTES, tree, f"swift://{container}/p")
    one, two = journals(tree, 2)
    assert upload("1/2", "--journal", one, *files, environ=environ).exit_code == 0
    (tree / "a" / "f00 é\n").write_bytes(b"x" * 3_000_000)
    assert upload("2/2", "--journal", two, *files, environ=environ).exit_code == 0
    told = bulkput("status", one, two)
    assert told.exit_code == 1 and "cut from different lists or sizes" in told.out
    assert upload("1/2", "--journal", one, *files, environ=environ).exit_code == 0
    assert bulkput("status", one, two).exit_code == 0
    assert bulkput("verify", tree, f"swift://{container}/p", environ=environ).exit_code == 0


def test_an_empty_share_is_no_failure(tree: Path, environ: Mapping[str, str], container: str) -> None:
    """--fail-if-empty fails only if there is no file in any shard"""
    url, lone = f"swift://{container}/p/", tree / "a" / "f00 é\n"
    runs = [upload(f"{shard}/2", "--fail-if-empty", lone, url, environ=environ) for shard in (1, 2)]
    assert [run.exit_code for run in runs] == [0, 0]
    assert sorted(run.summary["uploaded"] for run in runs) == [0, 1]
    assert not any("no file was found" in run.err for run in runs)
    nothing = upload("1/2", "--fail-if-empty", tree / "empty", url, environ=environ)
    assert nothing.exit_code == 1 and "no file was found" in nothing.err


def test_what_fails_in_a_shard_is_sent_by_its_retry(tree: Path, environ: Mapping[str, str], container: str) -> None:
    """bulkput upload --shard K/2 --retry-failed --journal J: only what has failed in this shard"""
    bad = tree / os.fsdecode(b"\xff")
    bad.write_text("x")
    url = f"swift://{container}/p"
    runs = [
        upload(f"{shard}/2", "--journal", journal, tree, url, environ=environ)
        for shard, journal in enumerate(journals(tree, 2), start=1)
    ]
    assert [run.exit_code for run in runs] == [1, 0], "MD5 of ff begins with 00594fd4, which is even"
    one, two = journals(tree, 2)
    assert bulkput("status", one, two).exit_code == 1
    bad.rename(tree / "better")
    again = upload("1/2", "--journal", one, "--retry-failed", tree, url, environ=environ)
    assert (again.exit_code, again.summary["found"]) == (0, 1)
    assert upload("2/2", "--journal", two, "--retry-failed", tree, url, environ=environ).summary["found"] == 0


def test_two_files_with_one_object_name_fail_in_every_shard(
    tmp_path: Path, environ: Mapping[str, str], container: str
) -> None:
    """--gzip always --gzip-as suffix --gzip-except '*.gz': a and a.gz would both be a.gz"""
    for name in ("a", "a.gz", "b"):
        (tmp_path / "t").mkdir(exist_ok=True)
        (tmp_path / "t" / name).write_text(name)
    gzip = ("--gzip", "always", "--gzip-as", "suffix", "--gzip-except", "*.gz")
    runs = [upload(f"{shard}/2", *gzip, tmp_path / "t", f"swift://{container}/", environ=environ) for shard in (1, 2)]
    assert [run.summary["failed"] for run in runs] == [1, 1]
    assert sum(run.summary["uploaded"] for run in runs) == 2


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--delete-extra",), "--shard and --delete-extra exclude each other: it would remove what other shards"),
        (("--expire-extra", "7d"), "run one upload without --shard, with --skip unchanged and --expire-extra"),
        (("--write-manifest", "m"), "run one upload without --shard, with --skip unchanged and --write-manifest"),
        (("--last", "*.html"), "with --exclude, and send them when all shards are done"),
        (("--shard-by", "bytes"), "--shard-by bytes needs a list of all files"),
    ],
)
def test_what_has_to_see_all_files_is_refused_before_anything_is_sent(
    flags: tuple[str, ...], says: str, tree: Path, environ: Mapping[str, str], container: str
) -> None:
    """One sentence that says what to do"""
    refused = upload("1/2", *flags, tree, f"swift://{container}/p", environ=environ)
    assert (refused.exit_code, refused.out) == (2, "") and says in refused.err, refused.err


def test_the_shard_may_come_from_a_variable(tree: Path, environ: Mapping[str, str], container: str) -> None:
    """BULKPUT_SHARD, as a job of a CI system may set it; a project's file must not set it"""
    url = f"swift://{container}/p"
    ran = bulkput("upload", "--dry-run", "--json", tree, url, environ={**environ, "BULKPUT_SHARD": "2/3"})
    (told,) = [row for row in map(json.loads, ran.out.splitlines()) if row["event"] == "other_shards"]
    assert (ran.exit_code, told["shard"]) == (0, "2/3") and 0 < told["files"] < 36
    (tree / "bulkput.toml").write_text('[upload]\nshard = "2/3"\n')
    refused = bulkput("upload", "--dry-run", ".", url, environ=environ, cwd=tree)
    assert refused.exit_code == 2 and "must not be set by a project's file" in refused.err


PAGE = Path(__file__).parents[2] / "docs" / "many-machines.md"
BLOCK = re.compile(r"^```(?:yaml|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def jobs_of_the_page() -> dict[str, list[tuple[str, dict[str, str]]]]:
    """The upload that each system starts, for each job as often as it does, with the variables that it sets."""
    github, gitlab, slurm = [
        text for text in BLOCK.findall(PAGE.read_text()) if "bulkput upload" in text and "--shard" in text
    ]
    upload = yaml.safe_load(github)["jobs"]["upload"]
    (line,) = [step["run"] for step in upload["steps"] if "run" in step]
    matrix = [line.replace("${{ matrix.shard }}", str(shard)) for shard in upload["strategy"]["matrix"]["shard"]]
    job = yaml.safe_load(gitlab)["upload"]
    total = job["parallel"]
    (count,) = re.findall(r"--array=1-(\d+)", slurm)
    return {
        "GitHub": [(line, {}) for line in matrix],
        "GitLab": [
            ("\n".join(job["script"]), {"CI_NODE_INDEX": str(index), "CI_NODE_TOTAL": str(total)})
            for index in range(1, total + 1)
        ],
        "SLURM": [
            (f'srun() {{ "$@"; }}\n{slurm}', {"SLURM_ARRAY_TASK_ID": str(task)}) for task in range(1, int(count) + 1)
        ],
    }


@pytest.mark.timeout(120)
@pytest.mark.parametrize("system", ["GitHub", "GitLab", "SLURM"])
def test_the_jobs_of_the_page_upload_everything(
    system: str, tree: Path, environ: Mapping[str, str], container: str, tmp_path: Path
) -> None:
    """Their lines as they stand, but for the container and the place of the journal"""
    tree.rename(tmp_path / "dist")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for script, sets in jobs_of_the_page()[system]:
        text = re.sub(r"swift://\w+", f"swift://{container}", script).replace("/tmp/", f"{tmp_path}/")
        ran = subprocess.run(["sh", "-euc", text], cwd=tmp_path, env={**environ, **sets, "PATH": path}, check=False,
                             capture_output=True, text=True)  # fmt: skip
        assert ran.returncode == 0, ran.stderr
    assert len(bulkput("ls", "-r", "--json", f"swift://{container}", environ=environ).rows) == 36
    if every := list(map(str, tmp_path.glob("*.db"))):
        assert bulkput("status", *every).exit_code == 0


def test_a_pipe_has_no_shards(environ: Mapping[str, str], container: str) -> None:
    """bulkput upload --shard 1/2 - DEST"""
    refused = upload("1/2", "-", f"swift://{container}/x", environ=environ)
    assert refused.exit_code == 2 and "a pipe, which makes one object and has no shards" in refused.err
