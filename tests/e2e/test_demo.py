"""`bulkput demo` and the benchmark's baselines, in the checkout and from an installed wheel."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import release_checks
from tests.e2e.cli import bulkput
from tests.servers.devserver import devserver_process
from tests.servers.judge import SwiftJudge

REPOSITORY = Path(__file__).parents[2]


def test_demo_reads_back_every_object_that_it_uploaded() -> None:
    """bulkput demo --files 30 --scale 0.02"""
    ran = bulkput("demo", "--files", "30", "--scale", "0.02")
    assert ran.exit_code == 0, ran.err
    rows = {line.split("  ")[1]: line.split() for line in ran.out.splitlines() if line[:2] == "  " and "█" not in line}
    assert rows["the bindings' way: HEAD, HEAD, PUT"][-4] == str(1 + 1 + 1 + 3 * 30), "login, container, its HEAD"
    assert rows["direct REST, one by one"][-4] == rows["bulkput"][-4] == str(1 + 1 + 30)
    assert "read back: all 90 objects are byte for byte their files" in ran.out
    assert ran.out.count("█") > 10


@pytest.mark.parametrize(("way", "requests"), [("bindings", "GET=1 HEAD=7 PUT=4"), ("rest", "GET=1 PUT=4")])
def test_each_baseline_runs_as_a_program(tmp_path: Path, way: str, requests: str) -> None:
    """python benchmarks/baselines.py WAY DIRECTORY CONTAINER"""
    for n in range(3):
        (tmp_path / f"file {n}").write_text(str(n))
    with devserver_process() as server:
        done = subprocess.run(
            [sys.executable, "benchmarks/baselines.py", way, str(tmp_path), "base"],
            cwd=REPOSITORY,
            env={**os.environ, **server.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, f"{requests} failed=0\n"), done.stderr
        assert SwiftJudge(server.auth_url, server.user, server.key).names("base") == ["file 0", "file 1", "file 2"]


@pytest.mark.timeout(180)
def test_the_wheel_works_without_the_source_tree(tmp_path: Path) -> None:
    """bulkput demo, from a wheel that is installed elsewhere with only its dependencies."""
    wheels, target = tmp_path / "wheels", tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(wheels), str(REPOSITORY)], check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    assert release_checks.faults_of_wheel(wheel, REPOSITORY) == []
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True, capture_output=True)
    code = (
        "import bulkput.demo.baselines as b, bulkput, sys; print(b.__file__); from bulkput.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "demo", "--files", "5", "--scale", "0.01"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(target)), "the source tree was used"
    assert (target / "bulkput" / "py.typed").exists()
    assert (target / "bulkput" / "testing" / "contract.py").exists(), "authors of stores need it"
    shared = target / "share"
    assert (shared / "man" / "man1" / "bulkput-upload.1").exists()
    for place in ("bash-completion/completions/bulkput", "zsh/site-functions/_bulkput"):
        assert (shared / place).read_bytes().startswith(b"#"), "where these shells look for completions"
    assert (shared / "fish" / "vendor_completions.d" / "bulkput.fish").exists()
