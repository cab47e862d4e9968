"""The jobs of docs/ci-systems.md, as their CI systems run them.

The shell lines of each job run unchanged, in the shell of its system and with the variables that it sets, and log in to
a real Keystone by the secrets that the job names. Only the installation is left out: `pipx` and `uvx` are small
programs here, which accept the wheel that the job names and run the bulkput that is installed. scripts/release runs the
real ones on a real wheel.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers.keystone import KeystoneSwift

pytestmark = [pytest.mark.keystone, pytest.mark.timeout(180)]
PAGE = Path(__file__).parents[2] / "docs" / "ci-systems.md"
BLOCK = re.compile(r"^```(yaml|groovy)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPRESSION = re.compile(r"\$\{\{ (?:secrets|vars)\.(\w+) \}\}")
GROOVY_VARIABLE = re.compile(r"^ {8}(\w+) = (?:'[^']*'|credentials\('[^']+'\))$", re.MULTILINE)
GROOVY_SCRIPT = re.compile(r"\bsh '''\n(.*?)'''", re.DOTALL)
WHEEL = "https://files.example.org/bulkput-9.9.9-py3-none-any.whl"
PIPX = f"""#!/bin/sh
case "$*" in
"install {WHEEL}") exit 0 ;;
"run --spec {WHEEL} "*) shift 3; exec "$@" ;;
esac
echo "pipx $*: unknown" >&2; exit 99
"""
UVX = f"""#!/bin/sh
case "$*" in
"--from {WHEEL} "*) shift 2; exec "$@" ;;
esac
echo "uvx $*: unknown" >&2; exit 99
"""
FILES = {"index.html": "a page", "about/index.html": "another page", "assets/app.1f3a.js": "code", "assets/empty": ""}


@dataclass(frozen=True, slots=True)
class Step:
    """A script of a job. `secrets` has the variables that the job takes from its system, and their names there."""

    shell: tuple[str, ...]
    script: str
    secrets: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """What a CI system runs, and the variables that it sets itself."""

    steps: tuple[Step, ...]
    sets: Mapping[str, str]
    page: str
    """Where a summary for people is to be read afterwards."""
    keeps: str
    """What the system keeps of a job, as the job says it."""


def snippets() -> list[tuple[str, str]]:
    """Language and text of each snippet of the page."""
    return BLOCK.findall(PAGE.read_text())


def github(text: str) -> Job:
    """https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax: `bash -e` by default."""
    (job,) = yaml.safe_load(text)["jobs"].values()
    steps = []
    for step in job["steps"]:
        if "run" in step:
            secrets = {}
            for variable, value in step.get("env", {}).items():
                (secrets[variable],) = EXPRESSION.findall(value)
            steps.append(Step(("bash", "-e", "-c"), step["run"], secrets))
    (kept,) = (step for step in job["steps"] if "upload-artifact" in step.get("uses", ""))
    assert kept["if"] == "always()"
    sets = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "16123456789", "GITHUB_STEP_SUMMARY": "step.md"}
    return Job(tuple(steps), sets, "step.md", kept["with"]["path"])


def gitlab(text: str) -> Job:
    """https://docs.gitlab.com/runner/shells/: bash with these options. Variables of the project are all there."""
    (job,) = yaml.safe_load(text).values()
    step = Step(("bash", "-eo", "pipefail", "-c"), "\n".join(job["script"]), {name: name for name in secret_names()})
    assert job["artifacts"]["when"] == "always"
    sets = {"GITLAB_CI": "true", "CI_PIPELINE_ID": "2012345678", "CI_JOB_ID": "4711", "CI_COMMIT_BRANCH": "main"}
    return Job((step,), sets, "summary.md", " ".join(job["artifacts"]["paths"]))


def jenkins(text: str) -> Job:
    """https://www.jenkins.io/doc/pipeline/steps/workflow-durable-task-step/: `sh -xe`.

    Between three single quotes Groovy replaces no variables, and removes a line end after a backslash.
    """
    (script,) = GROOVY_SCRIPT.findall(text)
    step = Step(("sh", "-xe", "-c"), script.replace("\\\n", ""), {name: name for name in GROOVY_VARIABLE.findall(text)})
    sets = {"BUILD_NUMBER": "4711", "BUILD_TAG": "jenkins-site-4711", "JOB_NAME": "site", "JENKINS_URL": "http://ci/"}
    (kept,) = re.findall(r"always \{\s+archiveArtifacts artifacts: '([^']+)'", text)
    return Job((step,), sets, "summary.md", kept)


READERS = {"GitHub Actions": github, "GitLab CI": gitlab, "Jenkins": jenkins}


def secret_names() -> set[str]:
    """What the first snippet takes from its system."""
    return set(EXPRESSION.findall(snippets()[0][1]))


def job_of(system: str) -> Job:
    """The snippets stand on the page in the order of `READERS`."""
    texts = dict(zip(READERS, (text for _, text in snippets()), strict=True))
    return READERS[system](texts[system])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A workspace with `./dist`, and beside it the programs that stand for pipx and uvx."""
    for name, text in FILES.items():
        path = tmp_path / "workspace" / "dist" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "programs").mkdir()
    for name, text in (("pipx", PIPX), ("uvx", UVX)):
        (tmp_path / "programs" / name).write_text(text)
        (tmp_path / "programs" / name).chmod(0o755)
    return tmp_path


def run(job: Job, place: Path, secrets: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Runs the steps one after the other until one fails, as a CI system does. Gives the last one that ran."""
    path = f"{place / 'programs'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    common = {"PATH": path, "HOME": str(place), "CI": "true", "LANG": "C.UTF-8", **job.sets}
    for step in job.steps:
        environ = {**common, **{variable: secrets[name] for variable, name in step.secrets.items()}}
        ran = subprocess.run(
            [*step.shell, step.script],
            cwd=place / "workspace",
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode != 0:
            break
    return ran


def summary(place: Path) -> Any:
    return json.loads((place / "workspace" / "summary.json").read_text())


@pytest.mark.parametrize("system", READERS)
def test_a_job_of_the_page_publishes_dist(system: str, place: Path, keystone: KeystoneSwift) -> None:
    """All files are there, the summary is kept, no secret is in the log; the second run sends nothing."""
    job, secrets = job_of(system), {**keystone.application_credential, "WHEEL": WHEEL}
    (place / "workspace" / "dist" / "index.html").write_text(f"published by {system}")
    ran = run(job, place, secrets)
    assert ran.returncode == 0, ran.stderr
    found, judge = summary(place), keystone.judge()
    for name in FILES:
        assert judge.content("site", name) == (place / "workspace" / "dist" / name).read_bytes()
    assert found["found"] == len(FILES) and found["failed"] == 0 and found["uploaded"] >= 1
    assert "summary.json" in job.keeps
    assert found["tag"] in (place / "workspace" / job.page).read_text()
    assert keystone.credential.secret not in ran.stdout + ran.stderr
    assert run(job, place, secrets).returncode == 0
    assert summary(place)["skipped"] == len(FILES)


@pytest.mark.parametrize("system", READERS)
def test_a_job_of_the_page_fails_with_the_exit_code_of_bulkput(
    system: str, place: Path, keystone: KeystoneSwift
) -> None:
    """A login that is refused is exit code 3, and the summary is there all the same."""
    ran = run(job_of(system), place, {**keystone.by_credential(keystone.expired), "WHEEL": WHEEL})
    assert ran.returncode == 3, ran.stderr
    assert summary(place)["stopped"]


@pytest.mark.parametrize("system", READERS)
def test_no_shell_line_of_the_page_has_a_value_pasted_into_it(system: str) -> None:
    """A secret in a command line is seen by other processes, and a branch name in one is a command of somebody else."""
    for step in job_of(system).steps:
        assert "${{" not in step.script
        assert "OS_" not in step.script
    assert all('"""' not in text for _, text in snippets())


def test_all_jobs_of_the_page_take_the_same_secrets() -> None:
    """The URL of the wheel, and an application credential."""
    assert secret_names() >= {"WHEEL", "OS_AUTH_URL", "OS_APPLICATION_CREDENTIAL_SECRET"}
    for system in READERS:
        assert {name for step in job_of(system).steps for name in step.secrets} == secret_names()
