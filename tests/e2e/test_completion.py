"""`bulkput completion SHELL`, in real shells: TAB is typed, and the line that results is looked at."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import click
import pytest

from bulkput.cli.completion import SCHEMES, Answers
from bulkput.cli.main import bulkput as group
from bulkput.stores.built_in import MODULES
from tests.e2e.cli import Bulkput
from tests.e2e.shells import ALL, PROGRAMS, Shell, environ_of, shell
from tests.e2e.test_start import imported, process

Name = Literal["bash", "zsh"]
TAB = "\t"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home directory with a working directory `w`."""
    home = tmp_path_factory.mktemp("home")
    for directory in ("dist", "site", "swan"):
        (home / "w" / directory).mkdir(parents=True)
    for file in ("my file", "up.db", "data"):
        (home / "w" / file).touch()
    return home


@pytest.fixture(scope="module", params=["bash", "zsh"])
def running(request: pytest.FixtureRequest, place: Path) -> Iterator[Shell]:
    """A shell in which the person sits."""
    name: Name = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed: scripts/tools installs it")
    with shell(name, place, place / "w") as started:
        yield started


TYPED = [
    # verbs, options, choices
    ("bulkput upl", "bulkput upload "),
    ("true; bulkput upl", "true; bulkput upload "),
    ("bulkput upload --gzip-l", "bulkput upload --gzip-level "),
    ("bulkput upload --gzip al", "bulkput upload --gzip always "),
    ("bulkput upload --gzip=al", "bulkput upload --gzip=always "),
    ("bulkput upload --concurrency a", "bulkput upload --concurrency auto "),
    ("bulkput upload --concurrency=a", "bulkput upload --concurrency=auto "),
    ("bulkput logs --by date,st", "bulkput logs --by date,status "),
    ("bulkput completion f", "bulkput completion fish "),
    # paths
    ("bulkput upload ./di", "bulkput upload ./dist/"),
    ("bulkput upload ~/w/di", "bulkput upload ~/w/dist/"),
    ("bulkput upload my", "bulkput upload my\\ file "),
    ('bulkput upload "my', 'bulkput upload "my file" '),
    ("bulkput verify --journal up", "bulkput verify --journal up.db "),
    ("bulkput upload --journal=up", "bulkput upload --journal=up.db "),
    ("bulkput upload --base da", "bulkput upload --base da"),
    ("bulkput upload --base d", "bulkput upload --base dist/"),
    ("bulkput bench --from si", "bulkput bench --from site/"),
    ("bulkput status u", "bulkput status up.db "),
    # URLs: no space behind them, and the colon ends no word
    ("bulkput ls sw", "bulkput ls swift://"),
    ("bulkput upload dist swif", "bulkput upload dist swift://"),
    ("bulkput upload dist swa", "bulkput upload dist swan/"),
    ("bulkput upload dist sw", "bulkput upload dist sw"),
    ("bulkput upload dist swift:", "bulkput upload dist swift://"),
    ("bulkput upload dist http:/", "bulkput upload dist http://"),
    ("bulkput bench --to=sw", "bulkput bench --to=swift://"),
    ("bulkput rm swi", "bulkput rm swift://"),
    # nothing to offer
    ("bulkput upload dist swift://d", "bulkput upload dist swift://d"),
    ("bulkput cp dis", "bulkput cp dis"),
    ("bulkput upload --rate u", "bulkput upload --rate u"),
    ("bulkput ls swift://a u", "bulkput ls swift://a u"),
]


def test_a_tab_completes_the_word_at_the_cursor(running: Shell) -> None:
    """Verbs, options, choices, local paths and the beginnings of URLs, quoted as the shell quotes."""
    assert [(line, running.typed(line + TAB)) for line, _ in TYPED] == TYPED


def test_the_verbs_are_offered_in_the_order_of_the_help(running: Shell) -> None:
    """And so are the options of a verb."""
    assert running.typed("bulkput " + ALL).split()[1:] == group.list_commands(click.Context(group))
    assert running.typed("bulkput upload --gz" + ALL).split()[2:] == [
        "--gzip", "--gzip-level", "--gzip-as", "--gzip-except",
    ]  # fmt: skip


def test_paths_and_urls_are_offered_together_where_both_can_be(running: Shell) -> None:
    """SOURCE... DEST"""
    offered = running.typed("bulkput upload " + ALL).replace("\\ ", " ")
    assert all(f" {name}" in offered for name in ("dist", "my file", "up.db", "swift://", "https://"))
    assert {word.rstrip("/") for word in running.typed("bulkput upload s" + ALL).split()[2:]} == {
        "swift:", "s3:", "site", "swan",
    }  # fmt: skip
    assert running.typed("bulkput cp " + ALL).split()[2:] == list(SCHEMES)


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed: scripts/tools installs it")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("bulkput upl", ["upload\tUpload files and directories to an object store."]),
        ("bulkput upload --gzip al", ["always"]),
        ("bulkput upload --gzip=al", ["--gzip=always"]),
        ("bulkput upload ./di", ["./dist/"]),
        ("bulkput upload ~/w/di", ["~/w/dist/"]),
        ('bulkput upload "my', ["my file"]),
        ("bulkput upload --journal=up", ["--journal=up.db"]),
        ("bulkput upload --base d", ["dist/"]),
        ("bulkput upload --base=d", ["--base=dist/"]),
        ("bulkput upload dist sw", ["swan/", "swift://"]),
        ("bulkput upload dist swift://d", []),
        ("bulkput cp ", [*SCHEMES]),
        ("bulkput upload --rate ", []),
    ],
)
def test_fish_offers_what_may_stand_at_the_cursor(place: Path, line: str, offered: list[str]) -> None:
    """`complete -C` prints what a TAB would show."""
    script = 'bulkput completion fish | source; complete -C "$argv[1]"'
    ran = subprocess.run(
        ["fish", "--no-config", "-c", script, line],
        cwd=place / "w",
        env=environ_of(place),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stderr, ran.stdout.splitlines()) == ("", offered)


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_click_s_own_variable_prints_the_same_script(
    bulkput: Bulkput, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """_BULKPUT_COMPLETE=bash_source bulkput, as packagers ask programs that are made with click"""
    script = bulkput("completion", name).out
    assert script.startswith("#")
    assert script.endswith("\n") and not script.endswith("\n\n")
    monkeypatch.setenv("_BULKPUT_COMPLETE", f"{name}_source")
    ran = bulkput()
    assert (ran.exit_code, ran.out) == (0, script)


def test_an_unknown_shell_is_a_usage_error(bulkput: Bulkput) -> None:
    """bulkput completion fihs"""
    ran = bulkput("completion", "fihs")
    assert ran.exit_code == 2
    assert ran.err.rstrip().endswith("'fihs' is not one of 'bash', 'zsh', 'fish': did you mean fish?")


@pytest.mark.parametrize(
    "line", ["bulkput ", "bulkput upload --", "bulkput cp --", "bulkput segments --", "bulkput logs "]
)
def test_an_answer_imports_no_event_loop(line: str) -> None:
    """It is to come while the finger is still on the key."""
    ran = process(_BULKPUT_COMPLETE="bash_complete", _BULKPUT_LINE=line)
    assert ran.returncode == 0
    assert ran.stdout.splitlines()
    assert not imported(ran) & {"asyncio", "ssl", "uvloop", "aiohttp", "rich", "sqlite3", "importlib.resources"}


def answers(line: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("_BULKPUT_LINE", line)
    return Answers(group, {}, "bulkput", "_BULKPUT_COMPLETE").complete().splitlines()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "bulkput",
        "'",
        "bulkput 'x",
        "bulkput upload \\",
        "bulkput nothing --x ",
        "bulkput upload --gzip x --",
        "x\ty",
    ],
)
def test_any_line_gets_an_answer(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that is no command yet: nothing is printed to the terminal at a TAB."""
    assert all(answer.count("\t") == 2 for answer in answers(line, monkeypatch))


def test_each_scheme_that_is_offered_has_a_store() -> None:
    """The stores are not asked for their schemes, because their modules take too long to import."""
    assert {place.removesuffix("://") for place in SCHEMES} <= set(MODULES)


@pytest.mark.parametrize(
    ("file", "offered"),
    [
        ('[profile.work]\ndestination = "swift://artifacts"\n[profile.settings]\ngzip = "auto"\n', ["work:"]),
        ("[profile.work", []),
        ("", []),
    ],
)
def test_the_aliases_of_a_file_are_offered(
    file: str, offered: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile without a destination is none. A file that is wrong offers nothing, in silence."""
    (tmp_path / "bulkput.toml").write_text(file)
    monkeypatch.chdir(tmp_path)
    found = answers("bulkput cp w", monkeypatch)
    assert [line.split("\t")[1] for line in found if line.startswith("open")] == offered


def test_each_value_that_is_a_path_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its metavar. An option with another word for a path would offer nothing."""
    for name in group.list_commands(click.Context(group)):
        verb = group.get_command(click.Context(group), name)
        assert verb is not None
        for option in verb.params:
            metavar = option.make_metavar(click.Context(verb))
            if isinstance(option, click.Option) and metavar in ("FILE", "DIR"):
                kind = metavar.lower()
                assert answers(f"bulkput {name} {option.opts[-1]} x", monkeypatch) == [f"{kind}\tx\t"], (
                    name,
                    option.opts,
                )
            assert not {"PATH", "FILENAME", "DIRECTORY"} & set(metavar.split("/")), (name, option.opts)


def test_the_console_script_is_what_the_shell_runs() -> None:
    """Without it the tests above would have nothing to ask."""
    assert os.access(PROGRAMS / "bulkput", os.X_OK)
