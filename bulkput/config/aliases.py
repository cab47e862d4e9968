"""`work:build-42`: the destination of the profile `work`, with `build-42` below it. And which profiles are in use."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bulkput.config.settings import BOUND, layers
from bulkput.config.tables import PROFILE_NAME, Config
from bulkput.config.trust import check_project_destination
from bulkput.errors import UsageError, printable
from bulkput.policy.nearest import did_you_mean

_ALIAS = re.compile(rf"({PROFILE_NAME}):(?!//)(.*)", re.DOTALL)
_ONE_LOGIN = (BOUND, "insecure")
"""Options that hold for both URLs of a command."""


def split_alias(text: str) -> tuple[str, str] | None:
    """The profile's name and what follows it; None for a URL, a path, or whatever is no alias in form."""
    match = _ALIAS.fullmatch(text)
    return (match[1], match[2]) if match is not None else None


def joined(destination: str, rest: str) -> str:
    """What an alias means: `rest` below the destination, with one slash between them.

    The slash is there without `rest`, too: `bulkput upload report.pdf work:` makes builds/report.pdf, not an object
    that is called builds.

    >>> joined("swift://artifacts/builds", "build-42"), joined("swift://artifacts/builds", "")
    ('swift://artifacts/builds/build-42', 'swift://artifacts/builds/')
    >>> joined("swift://", "artifacts/x")
    'swift://artifacts/x'
    """
    return destination + ("" if destination.endswith("/") else "/") + rest


def destination_of(name: str, configs: Sequence[Config], environ: Mapping[str, str]) -> str | None:
    """The URL that a profile stands for, or None if it is none or has none.

    Raises UsageError if a project's file gives another one to a name of the user's, or one that he should type.
    """
    found = [
        (config, profile.destination)
        for config in configs
        if (profile := config.profiles.get(name)) is not None and profile.destination is not None
    ]
    if not found:
        return None
    config, url = found[0]
    if any(other != url for _, other in found):
        paths = " and ".join(printable(each.path) for each, _ in found)
        raise UsageError(
            f"{name}: means two destinations, in {paths}: a project cannot redirect a profile of yours, so rename one"
        )
    if len(found) == 1 and config.kind == "project":
        check_project_destination(name, url, config.path, environ)
    return url


def check_known(name: str, configs: Sequence[Config], *, is_alias: bool) -> None:
    """Raises UsageError if there is no such profile, or if it has no destination and `is_alias`."""
    profiles = [profile for config in configs for profile in config.profiles.items()]
    known = {each for each, profile in profiles if profile.destination is not None or not is_alias}
    if name in known:
        return
    if is_alias and any(name == each for each, _ in profiles):
        raise UsageError(f"the profile {name} has no destination, so {name}: is no alias")
    if not known:
        raise UsageError(f"there is no profile {printable(name)}: no file defines one{_of_aws(is_alias=is_alias)}")
    meant = did_you_mean(name, known) or f": known are {', '.join(sorted(known))}"
    raise UsageError(f"there is no profile {printable(name)}{meant}{_of_aws(is_alias=is_alias)}")


def _of_aws(*, is_alias: bool) -> str:
    """For those who come from other tools for S3, where `--profile` is this."""
    return "" if is_alias else "; AWS_PROFILE chooses one of ~/.aws"


def in_use(chosen: str | None, aliases: Sequence[str], variable: str | None) -> list[str]:
    """The profiles whose options count, the strongest first.

    `chosen` is named on the command line. `aliases` are in its URLs, the destination's first. `variable` is that of the
    environment, which counts if the command line has neither.
    """
    named = [*([chosen] if chosen is not None else []), *aliases]
    return list(dict.fromkeys(named)) or ([variable] if variable else [])


def check_agreement(
    verb: str, configs: Sequence[Config], *, chosen: str | None, aliases: Sequence[str], typed: Collection[str]
) -> None:
    """Raises UsageError if the profiles of one command differ in an option that holds for both of its URLs.

    An alias without the option differs from one with it: its destination would be looked for in the other's account. A
    profile that is chosen on the command line may give it what it lacks.
    """
    for key in _ONE_LOGIN:
        if key in typed:
            continue
        values = {name: _value(key, verb, name, configs) for name in aliases}
        if chosen is not None and (value := _value(key, verb, chosen, configs)) is not None:
            values = {name: value for name, value in values.items() if value is not None} | {chosen: value}
        if len({repr(value) for value in values.values()}) > 1:
            said = " and ".join(f"{name} has {value or 'none'}" for name, value in values.items())
            raise UsageError(f"these profiles differ in {key}, and one command has one login: {said}")


def _value(key: str, verb: str, profile: str, configs: Sequence[Config]) -> Any:
    """The value of an option in one profile; None if it has none, or false."""
    tables = (layer for layer in layers(configs, verb, [profile]) if layer.is_profile)
    return next((layer.values[key] for layer in tables if key in layer.values), None) or None
