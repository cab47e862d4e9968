"""12 000 objects in a real Ceph RGW: more than a page of its listing, and more than its bulk-delete removes."""

import json
import os
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.e2e.cli import Ran, bulkput
from tests.servers.judge import SwiftJudge
from tests.servers.rgw import RealRgw

pytestmark = pytest.mark.rgw
DIRECTORIES, FILES = 12, 1000
COUNT = DIRECTORIES * FILES
PAGES = 3
"""Two with objects, and an empty one."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("many")
    for directory in range(DIRECTORIES):
        (root / f"{directory:02d}").mkdir()
        for n in range(FILES):
            (root / f"{directory:02d}/{n:04d}").write_bytes(b"%d" % (directory * FILES + n))
    return root


@pytest.fixture(scope="module")
def name() -> str:
    return f"many-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def url(rgw: RealRgw, name: str, tree: Path) -> str:
    """Where all the files are. Only the first test waits for that, and those after a removal."""
    url = f"swift://{name}/p"
    ran = bulkput("upload", "--skip", "existing", "--summary", "-", tree, url, environ=rgw.environment)
    assert (ran.exit_code, ran.summary["found"], ran.summary["failed"]) == (0, COUNT, 0), ran.err
    return url


@pytest.fixture
def judge(rgw: RealRgw) -> SwiftJudge:
    return SwiftJudge(rgw.auth_url, rgw.user, rgw.key)


def names(tree: Path) -> list[str]:
    return sorted(f"p/{path.relative_to(tree)}" for path in tree.rglob("*") if path.is_file())


def finished(ran: Ran) -> dict[str, int]:
    found = json.loads(ran.out.splitlines()[-1])
    assert found["event"] == "finished"
    return {name: found[name] for name in ("identical", "different", "missing", "extra")}


def test_all_are_there_as_rclone_sees_it(rgw: RealRgw, name: str, url: str) -> None:
    """rclone size"""
    environ = {"RCLONE_CONFIG": os.devnull, "RCLONE_SWIFT_AUTH": rgw.auth_url}
    environ |= {"RCLONE_SWIFT_USER": rgw.user, "RCLONE_SWIFT_KEY": rgw.key}
    command = ["rclone", "size", "--json", f":swift:{name}/p"]
    ran = subprocess.run(command, env={**os.environ, **environ}, check=True, capture_output=True, text=True)
    assert json.loads(ran.stdout)["count"] == COUNT


def test_ls_has_all_names_in_order_and_a_level_its_directories(rgw: RealRgw, tree: Path, url: str) -> None:
    """bulkput ls -r, ls"""
    listed = bulkput("ls", "-r", url, environ=rgw.environment)
    assert listed.out.splitlines() == names(tree)
    level = bulkput("ls", f"{url}/", environ=rgw.environment)
    assert level.out.splitlines() == [f"p/{directory:02d}/" for directory in range(DIRECTORIES)]


def test_verify_reads_pages_of_ten_thousand(rgw: RealRgw, tree: Path, url: str) -> None:
    """bulkput verify: an object more and one less are found on the second page"""
    ran = bulkput("verify", "--json", tree, url, environ=rgw.environment)
    assert (ran.exit_code, finished(ran)["identical"]) == (0, COUNT)
    assert json.loads(ran.out.splitlines()[-1])["requests"] == {"GET": 1 + PAGES}
    (tree / "11/0999").rename(tree / "11/0999a")
    try:
        ran = bulkput("verify", "--json", tree, url, environ=rgw.environment)
    finally:
        (tree / "11/0999a").rename(tree / "11/0999")
    counts = {"identical": COUNT - 1, "different": 0, "missing": 1, "extra": 1}
    assert (ran.exit_code, finished(ran)) == (1, counts)


@pytest.mark.parametrize("mode", ["existing", "unchanged", "identical"])
def test_every_mode_skips_all_by_the_listing(rgw: RealRgw, tree: Path, url: str, mode: str) -> None:
    """bulkput upload --skip MODE"""
    ran = bulkput("upload", "--skip", mode, "--summary", "-", tree, url, environ=rgw.environment)
    assert (ran.exit_code, ran.summary["uploaded"], ran.summary["skipped"]) == (0, 0, COUNT), ran.err
    assert ran.summary["requests"] == {"GET": PAGES}  # with the login: the files end before the empty page


def test_a_mirror_removes_what_has_no_file(
    rgw: RealRgw, name: str, tree: Path, url: str, judge: SwiftJudge, tmp_path: Path
) -> None:
    """bulkput upload --skip identical --delete-extra, with 1100 extras: more than one bulk-delete takes"""
    for directory in range(1, DIRECTORIES):
        (tmp_path / f"{directory:02d}").mkdir()
        for path in sorted((tree / f"{directory:02d}").iterdir())[100 if directory == 1 else 0 :]:
            (tmp_path / f"{directory:02d}" / path.name).hardlink_to(path)
    mirror = ("--skip", "identical", "--delete-extra", "--yes", "--summary", "-")
    ran = bulkput("upload", *mirror, tmp_path, url, environ=rgw.environment)
    assert (ran.exit_code, ran.summary["uploaded"], ran.summary["skipped"]) == (0, 0, COUNT - 1100), ran.err
    assert "removed 1 100: no file for it" in ran.err and "DELETE" not in ran.summary["requests"], ran.err
    assert judge.names(name) == names(tmp_path)


@pytest.mark.scale
def test_rm_removes_a_thousand_by_a_request(rgw: RealRgw, name: str, url: str, judge: SwiftJudge) -> None:
    """bulkput rm -r"""
    judge.put(name, "stays", b"x")
    ran = bulkput("rm", "-r", "--yes", f"{url}/", environ=rgw.environment)
    assert ran.exit_code == 0, ran.err
    assert "12 000 removed" in ran.err and f"; {1 + PAGES + 1 + COUNT // 1000} requests" in ran.err, ran.err
    assert judge.names(name) == ["stays"]
