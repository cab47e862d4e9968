"""The tables of docs/rgw.md and docs/s3-servers.md, which tests compare with what the servers do.

Run it to write that of the contract suite:

.venv/bin/python -m tests.contract.tables
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from bulkput.testing.contract import StoreContract

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "rgw.md"
UNCHECKED = "BULKPUT_TABLES_UNCHECKED"
"""The variable that says that the tables are about to be written."""
CONTRACT_PAGE = ROOT / "docs" / "contract.md"
CONTRACT = "## The table"
COLUMNS = {
    "test_swift.TestSwift": "Swift",
    "test_rgw.TestRgw": "Ceph RGW",
    "test_devserver.TestDevServer": "devserver",
    "test_s3.TestRgwS3": "Ceph RGW by S3",
    "test_s3.TestS3Api": "Swift by S3",
    "test_s3.TestMoto": "moto",
    "test_http.TestNginx": "nginx",
    "test_http.TestNginxThatMakesNoParents": "nginx",
    "test_http.TestWsgiDav": "WsgiDAV",
    "test_plugin.TestFile": "the example package",
}
"""The columns of the contract's table, by the class that a store is tested in."""


@cache
def table_below(heading: str, page: Path = PAGE) -> Mapping[str, Mapping[str, str]]:
    """The first table below the heading: cells by the first cell of their row, then by the name of their column."""
    lines = page.read_text().partition(f"\n{heading}\n")[2].splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("|"))
    columns, _, *rows = _rows(lines[start:])
    return {row[0]: dict(zip(columns[1:], row[1:], strict=True)) for row in rows}


def _rows(lines: list[str]) -> Iterator[list[str]]:
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def column_of(node: str) -> str | None:
    """The column of a test, by its node's name in pytest; None if it is not part of the table."""
    place = node.rpartition("::")[0].replace(".py::", ".")
    return COLUMNS.get(place.rpartition("/")[2])


def words(test: str) -> str:
    """The row of a test, by its name in pytest."""
    return test.partition("[")[0].removeprefix("test_").replace("_", " ")


def cell(skipped: str | None) -> str:
    """What a test's end says: yes, or why the store cannot be tested."""
    return "yes" if skipped is None else skipped.removeprefix("Skipped: ").removeprefix("this store ")


def contract() -> list[str]:
    """The rows of the contract's table, in the order of the suite."""
    parts = [part for part in StoreContract.__mro__ if part.__module__.startswith("bulkput.testing.")]
    return [words(name) for part in parts for name in vars(part) if name.startswith("test_")]


def main() -> None:
    """Run the suite for all columns, and write what has come of it."""
    files = sorted({f"{place.partition('.')[0]}.py" for place in COLUMNS})
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", f"--junitxml={report}"]
        environ = {**os.environ, UNCHECKED: "1"}
        command += [f"tests/contract/{name}" for name in files]
        subprocess.run(command, cwd=ROOT, env=environ, check=True)
        seen = {row: dict.fromkeys(COLUMNS.values(), "") for row in contract()}
        for case in ElementTree.parse(report).iter("testcase"):
            place = ".".join(str(case.get("classname")).split(".")[-2:])
            skipped = case.find("skipped")
            if place in COLUMNS:
                cells, name = seen[words(str(case.get("name")))], COLUMNS[place]
                if cells[name] != "yes":  # a test of several cases: one that has run says more
                    cells[name] = cell(skipped.get("message") if skipped is not None else None)
    columns = list(dict.fromkeys(COLUMNS.values()))
    lines = ["|".join(("", " promise ", *(f" {name} " for name in columns), "")), "|---" * (len(columns) + 1) + "|"]
    lines += ["|".join(("", f" {row} ", *(f" {cells[name]} " for name in columns), "")) for row, cells in seen.items()]
    before, after = CONTRACT_PAGE.read_text().split(f"\n{CONTRACT}\n")
    text, _, rest = after.partition("\n|")
    rest = rest[rest.index("\n\n") :] if "\n\n" in rest else "\n"
    CONTRACT_PAGE.write_text(f"{before}\n{CONTRACT}\n{text}\n" + "\n".join(lines) + rest)


if __name__ == "__main__":
    main()
