"""The store and the test file of docs/stores.md, as its reader writes them."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "stores.md"


def install(place: Path) -> None:
    """Installs the page's store and its test file into a directory."""
    (entry_point,) = re.findall(r"```text\n\[project\.entry-points\.\"(.*)\"\]\n((?:.*\n)*?)```", PAGE.read_text())
    store, tests = re.findall(r"```python\n((?:.*\n)*?)```", PAGE.read_text())
    (place / "bulkput_memory.py").write_text(store)
    (place / "test_memory.py").write_text(tests)
    info = place / "bulkput_memory-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bulkput-memory\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[{}]\n{}".format(*entry_point).replace('"', ""))


def test_the_store_of_the_page_passes_the_suite(tmp_path: Path) -> None:
    """Store, entry point and test file are taken from the page; pytest has no configuration."""
    install(tmp_path)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", tmp_path, tmp_path],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"^39 passed, 68 skipped in", ran.stdout, re.MULTILINE), ran.stdout


def test_the_doctor_looks_at_the_store_of_the_page(tmp_path: Path) -> None:
    """bulkput doctor memory://c: it says neither how it is reached nor gives objects back, so nothing is written"""
    install(tmp_path)
    ran = subprocess.run(
        [sys.executable, "-m", "bulkput", "doctor", "memory://c"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "skipped resolve               this store does not say how it is reached" in ran.stdout
    assert "skipped put                   nothing is written" in ran.stdout
