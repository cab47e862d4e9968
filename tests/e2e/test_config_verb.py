"""`bulkput config`: the values of options, and where they come from."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulkput.cli.chosen import command_of, verbs
from tests.e2e.config_place import Place

WITH_TIMEOUT = [verb for verb in verbs() if "timeout" in command_of(verb).options]
PAGE = Path(__file__).parents[2] / "docs" / "config.md"


@pytest.fixture
def place(tmp_path: Path, environ: dict[str, str]) -> Place:
    return Place(tmp_path, environ)


@pytest.fixture
def shown(place: Place) -> Callable[..., dict[str, Any]]:
    """Runs `bulkput config --json`."""

    def run(*arguments: str, **variables: str) -> dict[str, Any]:
        report = json.loads(place.succeed("config", "--json", *arguments, **variables))
        assert isinstance(report, dict)
        return report

    return run


def test_a_flag_that_is_typed_off_excludes_nothing(place: Place, shown: Callable[..., dict[str, Any]]) -> None:
    """max-errors = 3 in a file, and --no-fail-fast"""
    place.write(user="max-errors = 3")
    rows = shown("upload", "--no-fail-fast", "dist", "swift://c")["options"]
    assert [row["value"] for row in rows if row["option"] in ("max-errors", "fail-fast")] == ["3", False]


def test_config_shows_values_with_their_sources(place: Place, shown: Callable[..., dict[str, Any]]) -> None:
    """bulkput config --json upload --gzip never ./dist work:build-42"""
    place.write(
        project='skip = "existing"\n[upload]\nexclude = ["*.tmp", "*.o"]\n',
        user='timeout = 30\n[profile.work]\ndestination = "swift://a/b"\n[profile.work.upload]\nmax-errors = 5\n',
    )
    words = ["upload", "--gzip", "never", "-v", "./dist", "work:build-42"]
    report = shown(*words, BULKPUT_RETRIES="9")
    options = {row["option"]: (row["value"], row["from"]) for row in report["options"]}
    project, user = str(place.project / "bulkput.toml"), str(place.user_file)
    assert options["gzip"] == ("never", {"kind": "flag", "name": None, "table": None})
    assert options["verbose"] == (True, {"kind": "flag", "name": None, "table": None})
    assert options["retries"] == ("9", {"kind": "environment", "name": "BULKPUT_RETRIES", "table": None})
    assert options["max-errors"] == ("5", {"kind": "user", "name": user, "table": "profile.work.upload"})
    assert options["exclude"] == (["*.tmp", "*.o"], {"kind": "project", "name": project, "table": "upload"})
    assert options["skip"] == ("existing", {"kind": "project", "name": project, "table": None})
    assert options["timeout"] == ("30", {"kind": "user", "name": user, "table": None})
    assert options["concurrency"] == ("auto", {"kind": "default", "name": None, "table": None})
    assert options["journal"] == (None, {"kind": "default", "name": None, "table": None})
    assert report["urls"] == {"work:build-42": "swift://a/b/build-42"}
    assert report["profiles"] == ["work"]
    assert report["aliases"] == [{"name": "work", "url": "swift://a/b", "file": user, "refused": None}]
    assert [(file["kind"], file["state"]) for file in report["files"]] == [("project", "read"), ("user", "read")]
    assert json.loads(place.succeed("config", *words, "--json"))["urls"] == report["urls"], "--json behind the verb"


def test_config_without_a_verb_shows_what_is_set(place: Place, shown: Callable[..., dict[str, Any]]) -> None:
    """bulkput config; --all shows the rest, too."""
    place.write(user='timeout = 30\n[profile.w]\ndestination = "swift://a"\nretries = 3\n')
    assert {(row["verb"], row["option"], row["value"]) for row in shown()["options"]} == {
        (verb, "timeout", "30") for verb in WITH_TIMEOUT
    }
    with_profile = {(row["option"], row["value"]) for row in shown("--profile", "w")["options"]}
    assert with_profile == {("timeout", "30"), ("retries", "3")}
    everything = {(row["verb"], row["option"]) for row in shown("--all")["options"]}
    assert {("upload", "gzip"), ("serve", "port"), ("bench", "to")} <= everything


def test_config_as_text_names_verbs_that_share_a_value(place: Place) -> None:
    """bulkput config"""
    place.write(user='timeout = 30\n[profile.w]\ndestination = "swift://a"\n')
    lines = place.succeed("config", BULKPUT_GZIP_LEVEL="6", BULKPUT_CONCURENCY="3", BULKPUT_YES="1").splitlines()
    rows = [re.split(r"  +", line.strip()) for line in lines]
    user = str(place.user_file)
    assert ["timeout", "30", user, ", ".join(WITH_TIMEOUT)] in rows
    assert ["gzip-level", "6", "BULKPUT_GZIP_LEVEL", "upload, verify"] in rows
    assert ["user", user, "read"] in rows
    assert ["w:", "swift://a", user] in rows
    assert ["ST_KEY", "***"] in rows
    assert ["BULKPUT_CONCURENCY", "is not known: did you mean BULKPUT_CONCURRENCY?"] in rows
    assert ["BULKPUT_YES", "is not read: only the command line confirms"] in rows


def test_config_says_when_there_is_no_file(place: Place, shown: Callable[..., dict[str, Any]]) -> None:
    """Or that it is left out."""
    assert shown()["files"] == [{"kind": "user", "path": str(place.user_file), "state": "not there"}]
    place.write(project="broken", user="broken")
    for report in (shown(BULKPUT_NO_CONFIG="1"), shown("ls", "--no-config", "swift://c")):
        assert {file["state"] for file in report["files"]} == {"left out"}


@pytest.mark.parametrize(
    "user",
    [
        "[segments]\ngzip = 'auto'",
        "[profile.unused.upload]\nmax_errors = 1",
        "[profile.unused]\nrate = 'fast'",
        "[bench]\nconcurrency = 'auto'",
    ],
)
def test_config_checks_everything_in_the_files(place: Place, user: str) -> None:
    """A command checks only what it uses."""
    place.write(user=user)
    assert place.run("ls", "swift://nothing-there").exit_code == 1
    assert place.refused("config", "ls").startswith("/xdg/bulkput/config.toml: ")


def test_the_files_of_the_documentation_are_right(place: Place) -> None:
    """The page shows the user's file as TOML; test_docs.py runs the project's."""
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    place.write(user=text)
    place.succeed("config")
