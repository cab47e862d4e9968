"""docs/options.md against the code that it is made from."""

import dataclasses
import re

import click

from bulkput import options
from bulkput.cli.main import bulkput
from scripts import options_page


def test_the_options_page_is_current() -> None:
    """scripts/options_page.py generates it."""
    assert options_page.PAGE.read_text() == options_page.page()


def test_every_option_field_is_documented_on_the_page() -> None:
    """Its documentation is below the field in bulkput/options.py."""
    page = options_page.page()
    for prefix, group in {**options_page.GROUPS, "": options.UploadOptions}.items():
        for field in dataclasses.fields(group):
            path = f"{prefix}.{field.name}".lstrip(".")
            assert path in options_page.GROUPS or re.search(rf"`{re.escape(path)}`", page), path


def test_every_flag_of_every_verb_is_on_the_page() -> None:
    """Flags are found by their long names."""
    page = options_page.page()
    for verb in bulkput.list_commands(click.Context(bulkput)):
        for option in options_page.options_of(verb):
            assert re.search(rf"`{re.escape(option.opts[-1])}[ `]", page), (verb, option.opts)
