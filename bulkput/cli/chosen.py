"""What the options of one command are set to, besides what is typed: reads the files, and follows `bulkput/config/`."""

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, cast

import click

from bulkput.cli.configured import NO_CONFIG, NOT_CONFIGURED, PROFILE, Configured, is_left_out
from bulkput.cli.values import Url
from bulkput.config import names
from bulkput.config.aliases import check_agreement, check_known, destination_of, in_use, joined, split_alias
from bulkput.config.files import read
from bulkput.config.places import FileKind
from bulkput.config.settings import Setting, check, layers, resolve
from bulkput.config.tables import Config, take_apart
from bulkput.config.values import Key, Shape, from_variable
from bulkput.errors import UsageError
from bulkput.record import frozen

_FLAG = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]*)")


@frozen(kw_only=True)
class Chosen:
    """`settings` are those of files and variables, by the options' names in files. `aliases` are the command's, as they
    are typed, with the URLs that they mean."""

    options: Mapping[str, click.Option]
    settings: Mapping[str, Setting]
    profiles: Sequence[str]
    aliases: Mapping[str, str]

    @property
    def defaults(self) -> dict[str, Any]:
        """For click, by the names of parameters."""
        return {self.options[key].name or "": setting.value for key, setting in self.settings.items()}

    def expanded(self, value: Any, *, is_last: bool) -> Any:
        """The value of a parameter with URLs instead of aliases. `is_last`: only the last of its values is a URL."""
        if not isinstance(value, tuple):
            return self.aliases.get(value, value)
        first = len(value) - 1 if is_last else 0
        return (*value[:first], *(self.aliases.get(each, each) for each in value[first:]))

    def notes_on(self, text: str) -> str:
        """Where the options come from that an error names; nothing if they are all typed."""
        named = {key: self.settings[key] for key in _FLAG.findall(text) if key in self.settings}
        said = (f"--{key} is set by {each.origin}, and --no-{key} leaves it out" for key, each in named.items())
        return "; ".join(said)


def choose(command: Configured, ctx: click.Context, typed: Mapping[str, Any], configs: Sequence[Config]) -> Chosen:
    """`typed` is what stands on the command line. Raises UsageError."""
    verb = ctx.info_name or ""
    options = command.options
    aliases = _aliases(command, typed, configs)
    named = list(dict.fromkeys(alias.partition(":")[0] for alias in aliases))
    profile, variable = _profile(options.get(PROFILE), typed, os.environ)
    profiles = in_use(profile, named, variable)
    for name in profiles:
        check_known(name, configs, is_alias=False)

    keys = keys_of(command)
    given = {key for key, option in options.items() if option.name in typed}
    check_agreement(verb, configs, chosen=profile, aliases=named, typed=given)
    tables = layers(configs, verb, profiles)
    for table in tables:
        check(table, keys, AllKeys())
    free = {key: about for key, about in keys.items() if key not in given and not is_left_out(options[key], typed)}
    is_on = {key for key in given if typed[options[key].name or ""] is not False}
    settings = resolve(tables, free, os.environ, is_on)
    for key, setting in settings.items():
        _check_value(key, setting, options[key], ctx)
    return Chosen(options=options, settings=settings, profiles=profiles, aliases=aliases)


def configs_of(found: Mapping[FileKind, str], typed: Mapping[str, Any]) -> list[Config]:
    """What the files say, the stronger one first. Raises UsageError."""
    try:
        is_without = NO_CONFIG in typed or from_variable(os.environ.get(names.NO_CONFIG) or "0", Shape.FLAG) is True
    except ValueError as error:
        raise UsageError(f"{names.NO_CONFIG} {error}") from None
    return [] if is_without else [take_apart(read(kind, path), verbs()) for kind, path in found.items()]


def check_everything(configs: Sequence[Config]) -> None:
    """Raises UsageError for anything in the files that a verb, or a command with some profile, would refuse."""
    profiles = list(dict.fromkeys(name for config in configs for name in config.profiles))
    for verb in verbs():
        command = command_of(verb)
        ctx = click.Context(command, info_name=verb)
        for profile in [None, *(profiles if PROFILE in command.options else [])]:
            choose(command, ctx, {} if profile is None else {PROFILE: profile}, configs)


def keys_of(command: Configured) -> dict[str, Key]:
    """The options that a file may have for this command."""
    return {key: _key(option) for key, option in command.options.items() if key != PROFILE}


class AllKeys(Collection[str]):
    """The options of all verbs. Verbs are imported until the one that was asked for is found."""

    def __contains__(self, key: object) -> bool:
        return any(key in keys_of(command) for command in self._commands())

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({key for command in self._commands() for key in keys_of(command)}))

    def __len__(self) -> int:
        return len(tuple(iter(self)))

    def _commands(self) -> Iterator[Configured]:
        return map(command_of, verbs())


def verbs() -> list[str]:
    """Those that take options from files."""
    from bulkput.cli.main import bulkput  # noqa: PLC0415 - it imports the verbs, which import this

    return [verb for verb in bulkput.list_commands(click.Context(bulkput)) if verb not in NOT_CONFIGURED]


def command_of(verb: str) -> Configured:
    from bulkput.cli.main import bulkput  # noqa: PLC0415

    return cast(Configured, bulkput.get_command(click.Context(bulkput), verb))


def _profile(
    option: click.Option | None, typed: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """The profile that is typed, and the one that the environment names."""
    if option is None or is_left_out(option, typed):
        return None, None
    return typed.get(PROFILE), environ.get(names.PROFILE)


def _aliases(command: Configured, typed: Mapping[str, Any], configs: Sequence[Config]) -> dict[str, str]:
    """The aliases that are typed, the destination's first, with their URLs. Raises UsageError for one that is none."""
    found: dict[str, str] = {}
    if not any(config.profiles for config in configs):
        return found
    for text, may_be_path in reversed(list(_urls(command, typed))):
        if (parts := split_alias(text)) is None:
            if not may_be_path and destination_of(text, configs, os.environ) is not None:
                raise UsageError(f"{text} is a profile: its alias is {text}:, and {text}:NAME is below it")
            continue
        name, rest = parts
        if (url := destination_of(name, configs, os.environ)) is not None:
            found[text] = joined(url, rest)
        elif not may_be_path:
            check_known(name, configs, is_alias=True)
    return found


def _urls(command: Configured, typed: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """What is typed for parameters that take a URL, and whether it may be a path as well."""
    for param in command.params:
        if isinstance(param.type, Url):
            value = typed.get(param.name or "")
            several = value if isinstance(value, tuple | list) else (value,) if isinstance(value, str) else ()
            yield from ((each, param.type.may_be_path) for each in (several[-1:] if param.type.is_last else several))


def _key(option: click.Option) -> Key:
    is_path = option.metavar in ("FILE", "DIR")
    if option.is_flag:
        return Key(Shape.FLAG)
    if option.multiple:
        return Key(Shape.LIST, is_path)
    is_text = isinstance(option.type, click.types.StringParamType | click.Choice | click.Path | Url)
    return Key(Shape.TEXT if is_text else Shape.NUMBER, is_path)


def _check_value(key: str, setting: Setting, option: click.Option, ctx: click.Context) -> None:
    """Raises UsageError if the flag would not take the value."""
    try:
        option.type_cast_value(ctx, setting.value)
    except click.BadParameter as error:
        raise UsageError(f"{setting.origin.of(key)}: {error.message}") from None
