"""The verbs, as commands with options from files: bulkput/cli/configured.py, chosen.py."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bulkput.cli.chosen import AllKeys, command_of, keys_of, verbs
from bulkput.cli.configured import NOT_CONFIGURED, Configured, key_of
from bulkput.cli.main import bulkput
from bulkput.cli.values import Url
from bulkput.config.names import is_other_variable, variable
from bulkput.config.trust import ONLY_TYPED, PROJECT_MAY_SET
from bulkput.config.values import Shape
from bulkput.errors import UsageError

ALL = bulkput.list_commands(click.Context(bulkput))


@pytest.mark.parametrize("verb", [verb for verb in ALL if verb not in NOT_CONFIGURED])
def test_every_verb_takes_options_from_files(verb: str) -> None:
    """With `@click.command(cls=Configured)`, or `cls=Verb`."""
    assert isinstance(bulkput.get_command(click.Context(bulkput), verb), Configured)


@pytest.mark.parametrize("verb", verbs())
def test_every_url_may_be_an_alias(verb: str) -> None:
    """Each parameter that is called so in --help has the type Url, and such a verb has --profile."""
    command = command_of(verb)
    urls = [param for param in command.params if isinstance(param.type, Url)]
    ctx = click.Context(command)
    for param in command.params:
        metavar = param.make_metavar(ctx)
        if any(word in metavar for word in ("URL", "DEST")) or (param.name == "source" and verb in ("cp", "mv")):
            assert param in urls, (verb, param.name)
    assert ("profile" in command.options) is bool(urls)


@pytest.mark.parametrize("verb", verbs())
def test_the_kind_of_every_option_is_known(verb: str) -> None:
    """A flag is true or false, a repeatable option a list; a file or directory counts from its file."""
    command = command_of(verb)
    for key, about in keys_of(command).items():
        option = command.options[key]
        assert key_of(option) == key and option.nargs == 1
        assert (about.shape is Shape.FLAG) is option.is_bool_flag
        assert not option.is_flag or option.is_bool_flag
        assert (about.shape is Shape.LIST) is option.multiple
        assert about.is_path is ((option.metavar or "") in ("FILE", "DIR"))


def test_options_that_name_files_are_known_as_such() -> None:
    """By their metavar: the help of a new one has to say FILE or DIR."""
    paths = {key for verb in verbs() for key, about in keys_of(command_of(verb)).items() if about.is_path}
    assert paths == {
        "base", "chart", "exclude-from", "files-from", "from", "include-from", "journal", "report", "rules", "summary",
        "summary-md", "trace",
    }  # fmt: skip


def test_what_a_project_may_set_exists() -> None:
    """An option that is renamed is renamed in the table."""
    assert set(PROJECT_MAY_SET) <= set(AllKeys())
    assert set(ONLY_TYPED) <= set(AllKeys())
    dangerous = {
        "insecure",
        "delete-extra",
        "keep-for",
        "expire-extra",
        "recursive",
        "summary",
        "trace",
        "files-from",
        "journal",
    }
    assert dangerous & PROJECT_MAY_SET == set()


def test_variables_count_without_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BULKPUT_TIMEOUT=x bulkput ls swift://c"""
    monkeypatch.chdir(tmp_path)
    environ = {"BULKPUT_TIMEOUT": "x", "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
    said = CliRunner().invoke(bulkput, ["ls", "swift://c"], env=environ).exception
    assert isinstance(said, UsageError) and str(said).startswith("BULKPUT_TIMEOUT: 'x' is not a valid float")


def test_no_option_has_the_variable_of_something_else() -> None:
    """BULKPUT_HTTP_* are credentials."""
    assert [key for key in AllKeys() if is_other_variable(variable(key))] == []


def test_no_option_is_called_like_a_verb() -> None:
    """In a file, that is a table."""
    assert set(AllKeys()) & {*verbs(), "profile", "destination"} == set()


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("--dry-runn", "'--dry-run'"), ("--gzzip", "'--gzip'"), ("--no-jurnal", "'--no-journal'")],
)
def test_a_misspelt_flag_is_not_taken_for_a_hidden_one(wrong: str, meant: str) -> None:
    """Suggestions have --no-NAME only if that is what was typed."""
    said = CliRunner().invoke(bulkput, ["upload", wrong, "x", "swift://c"]).output
    assert f"No such option '{wrong}'" in said and meant in said
    assert wrong.startswith("--no-") or "--no-" not in said


@pytest.mark.parametrize("verb", verbs())
def test_hidden_flags_are_not_in_the_help(verb: str) -> None:
    """docs/config.md has them."""
    assert "--no-" not in CliRunner().invoke(bulkput, [verb, "--help"]).output
