"""What is written, and where: names that a stream cannot carry, colours, and output that lies inside the source."""

import os
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
    """A name that ASCII has, one that it has not, and one that is not UTF-8."""
    root = tmp_path / "tree"
    root.mkdir()
    for name in NAMES:
        (root / name).write_text(name)
    with open(os.fsencode(root) + b"/bad-\xff", "w") as file:
        file.write("bad")
    return root


def test_a_name_that_the_streams_cannot_carry_ends_no_command(
    environ: Mapping[str, str], container: str, tree: Path
) -> None:
    """PYTHONIOENCODING=ascii bulkput VERB: the name is escaped, and the exit code is that of any name"""
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
    assert run(0, "ls", url).out.splitlines() == [ESCAPED, "plain"]
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


def test_a_journal_of_such_names_is_told(environ: Mapping[str, str], container: str, tree: Path) -> None:
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
