"""`bulkput config [VERB [ARGUMENT]...]`: gathers what `config_view.py` prints."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import click

from bulkput.cli.chosen import AllKeys, Chosen, check_everything, choose, command_of, configs_of, verbs
from bulkput.cli.config_view import Alias, Report, Row, as_object, text_lines
from bulkput.cli.configured import PROFILE, Configured
from bulkput.cli.output import write_line, write_row
from bulkput.config import names, places
from bulkput.config.aliases import destination_of
from bulkput.config.secrets import field_shown, login_variables, without_login
from bulkput.config.settings import Origin
from bulkput.config.tables import Config
from bulkput.config.trust import ONLY_TYPED
from bulkput.config.values import Typed
from bulkput.errors import UsageError, printable
from bulkput.policy.nearest import did_you_mean


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", metavar="[VERB [ARGUMENT]...]", nargs=-1)
@click.option("--profile", metavar="NAME", help="Show the options of [profile.NAME], too.")
@click.option("--all", "with_defaults", is_flag=True, help="Show also the options that nothing sets.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def config(command: tuple[str, ...], profile: str | None, with_defaults: bool, as_json: bool) -> int:
    """Show the values of options, and where they come from: the command line, the environment or a file.

    \b
    bulkput config                                  what is set, for all verbs
    bulkput config upload                           all options of upload
    bulkput config upload ./dist work:build-42      all options of this command, and what work: means

    The strongest first: flags; variables such as BULKPUT_MAX_ERRORS; bulkput.toml in the current directory or above it;
    ~/.config/bulkput/config.toml. Everything in the files is checked. Secrets are masked. docs/config.md has examples.

    Exit codes: 0 shown, 2 a file, a variable or the command is wrong.
    """
    if command and command[0] not in verbs():
        meant = did_you_mean(command[0], verbs())
        raise UsageError(f"{printable(command[0])} is no verb that takes options from files{meant}")
    contexts = [_context(verb) for verb in command[:1] or verbs()]
    typed = [_typed(ctx, command[1:], profile) for ctx in contexts]
    found = places.paths(os.environ)
    configs = configs_of(found, typed[0])  # without a verb, nothing is typed
    check_everything(configs)
    chosen = [choose(_command(ctx), ctx, words, configs) for ctx, words in zip(contexts, typed, strict=True)]
    rows = [row for what in zip(contexts, typed, chosen, strict=True) for row in _rows(*what)]
    report = Report(
        files=_files(found, configs),
        rows=[row for row in rows if with_defaults or command or row.origin.kind != "default"],
        profiles=list(dict.fromkeys(name for each in chosen for name in each.profiles)),
        aliases=tuple(_aliases(configs)),
        urls={alias: without_login(url) for each in chosen for alias, url in each.aliases.items()},
        variables=login_variables(os.environ),
        unknown=dict(_unknown(os.environ)),
    )
    if as_json or typed[0].get("as_json"):  # `bulkput config upload --json` means it like this
        write_row(as_object(report))
    else:
        for line in text_lines(report, is_one_verb=bool(command)):
            write_line(line)
    return 0


def _context(verb: str) -> click.Context:
    return click.Context(command_of(verb), info_name=verb, parent=click.get_current_context().parent)


def _command(ctx: click.Context) -> Configured:
    return cast(Configured, ctx.command)


def _typed(ctx: click.Context, arguments: Sequence[str], profile: str | None) -> dict[str, Any]:
    typed = _command(ctx).typed(ctx, arguments)
    if profile is not None and PROFILE in _command(ctx).options:
        typed.setdefault(PROFILE, profile)
    return typed


def _rows(ctx: click.Context, typed: Mapping[str, Any], chosen: Chosen) -> list[Row]:
    """All options of one verb, those that are set first."""
    rows = []
    for key, option in chosen.options.items():
        if key == PROFILE:  # the report has a place for it
            continue
        if option.name in typed:
            value, origin = typed[option.name], Origin("flag")
        elif key in chosen.settings:
            value, origin = chosen.settings[key].value, chosen.settings[key].origin
        else:
            value, origin = option.get_default(ctx), Origin("default")
        rows.append(Row(ctx.info_name or "", key, _shown(key, value), origin))
    return sorted(rows, key=lambda row: row.origin.kind == "default")


def _shown(key: str, value: Any) -> Typed | None:
    """A value as it would be typed, with its secrets masked; None if there is none."""
    match value:
        case bool():
            return value
        case str():
            return without_login(value)
        case int() | float():
            return f"{value:g}"
        case [_, *_]:
            return tuple(_shown_item(key, str(each)) for each in value)
    return None


def _shown_item(key: str, text: str) -> str:
    return field_shown(text, is_meta=key == "meta") if key in ("header", "meta") else without_login(text)


def _files(found: Mapping[places.FileKind, str], configs: Sequence[Config]) -> dict[str, tuple[str, str]]:
    without = {} if "project" not in found else {"project": (found["project"], "left out")}
    without["user"] = (places.user_path(os.environ), "left out" if "user" in found else "not there")
    return {**without, **{config.kind: (config.path, "read") for config in configs}}


def _aliases(configs: Sequence[Config]) -> Iterator[Alias]:
    """Those of all files, also the ones that a command would refuse."""
    for config in configs:
        for name, profile in config.profiles.items():
            if profile.destination is not None:
                refused = None
                try:
                    destination_of(name, configs, os.environ)
                except UsageError as error:
                    refused = str(error)
                yield Alias(name, without_login(profile.destination), config.path, refused)


def _unknown(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Variables that look like bulkput's, and that it does not read."""
    known = {names.variable(key): key for key in AllKeys()}
    for name in sorted(environ):
        if not name.startswith(names.PREFIX) or names.is_other_variable(name):
            continue
        if known.get(name) in ONLY_TYPED:
            yield name, "is not read: only the command line confirms"
        elif name not in known:
            yield name, f"is not known{did_you_mean(name, known)}"
