"""`bulkput VERB --help`: headings, length and words."""

import click
import pytest
from click.testing import CliRunner

from bulkput.cli.help import SECTIONS, Verb
from bulkput.cli.main import bulkput

VERBS = bulkput.list_commands(click.Context(bulkput))


def help_of(verb: str) -> str:
    """At a hundred columns."""
    return CliRunner().invoke(bulkput, [verb, "--help"], terminal_width=100).output


def verb_named(name: str) -> click.Command:
    verb = bulkput.get_command(click.Context(bulkput), name)
    assert verb is not None
    return verb


def test_the_help_of_upload_has_175_lines_at_most() -> None:
    """The width is 100 columns."""
    assert len(help_of("upload").splitlines()) <= 175


@pytest.mark.parametrize("name", VERBS)
def test_help_has_plain_words_for_types(name: str) -> None:
    """They are N and SECONDS instead of click's INTEGER RANGE; each option has a help text."""
    text = help_of(name)
    assert text.startswith(f"Usage: bulkput {name} ")
    assert "RANGE" not in text
    assert [each.opts for each in verb_named(name).params if isinstance(each, click.Option) and not each.help] == []


@pytest.mark.parametrize("name", ["upload", "verify", "cp", "mv"])
def test_long_help_groups_its_options_under_headings(name: str) -> None:
    """The table of headings has each option of these verbs once."""
    text = help_of(name)
    assert isinstance(verb_named(name), Verb)
    assert "Other options:" not in text and "\nOptions:" not in text
    assert "Connections and limits:\n" in text and "Output:\n" in text
    flags = [flag for section in SECTIONS.values() for flag in section]
    assert len(flags) == len(set(flags))
