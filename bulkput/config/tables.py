"""One file taken apart.

    concurrency = 32            # for every verb that has the option
    [upload]                    # for one verb
    gzip = "auto"
    [profile.work]              # for commands that use this profile
    destination = "swift://artifacts/builds"
    skip = "identical"
    [profile.work.upload]
    journal = "up.db"

Names of tables are checked here, those of options where a verb needs them: only then are the verb's options known.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from bulkput.config.files import ConfigFile
from bulkput.config.places import FileKind
from bulkput.config.secrets import has_login
from bulkput.errors import UsageError, printable
from bulkput.policy.nearest import did_you_mean
from bulkput.record import frozen

PROFILE_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
_SCHEMES = ("swift", "http", "https", "tempurl")
"""No names of profiles: `swift:/c`, a slip for `swift://c`, would send files to wherever the alias leads."""


@frozen
class Section:
    """Options for every verb that has them, and options for single verbs."""

    general: Mapping[str, Any]
    verbs: Mapping[str, Mapping[str, Any]]


@frozen
class Profile:
    """Options under a name. With a destination, the name is an alias for it."""

    destination: str | None
    options: Section


@frozen
class Config:
    """What one file says."""

    kind: FileKind
    path: str
    options: Section
    profiles: Mapping[str, Profile]


def take_apart(file: ConfigFile, verbs: Collection[str]) -> Config:
    """Raises UsageError for a table that is neither a verb's nor a profile's, and for a profile that is none."""
    table = dict(file.table)
    where = printable(file.path)
    found = table.pop("profile", {})
    if not isinstance(found, dict):
        raise UsageError(f"{where}: profile is {said(found)}: write a table for each profile, [profile.NAME]")
    profiles = {name: _profile(where, name, each, verbs) for name, each in found.items()}
    return Config(file.kind, file.path, _section(where, "", table, verbs), profiles)


def said(value: object) -> str:
    """What a value of TOML is, for a message. A string is not repeated: it may be long, or secret."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return "a string"
        case int() | float():
            return f"the number {value}"
        case list():
            return "a list"
        case dict():
            return "a table"
    return "a date or time"


def _profile(where: str, name: str, found: Any, verbs: Collection[str]) -> Profile:
    if not isinstance(found, dict):
        raise UsageError(f"{where}: profile.{printable(name)} is {said(found)}: write a table, [profile.NAME]")
    if re.fullmatch(PROFILE_NAME, name) is None:
        raise UsageError(
            f"{where}: {printable(name)!r} cannot name a profile: use letters without accents, digits, _ and -"
        )
    if name.lower() in _SCHEMES:
        raise UsageError(f"{where}: {name} cannot name a profile: URLs begin with {name.lower()}://")
    table = dict(found)
    destination = table.pop("destination", None)
    if not (destination is None or isinstance(destination, str)):
        raise UsageError(
            f'{where}: profile.{name}.destination is {said(destination)}: write a URL, "swift://CONTAINER/PREFIX"'
        )
    if destination is not None and (why := _no_alias(destination)) is not None:
        raise UsageError(f"{where}: profile.{name}.destination {why}")
    return Profile(destination, _section(where, f"profile.{name}.", table, verbs))


def _no_alias(url: str) -> str | None:
    """Why a profile cannot have this destination; None if it can. The text does not repeat the URL, for its secrets."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", url)
    if scheme is None:
        return 'is no URL: write "swift://CONTAINER[/PREFIX]", "s3://BUCKET[/PREFIX]" or "https://HOST/PATH/"'
    if scheme[1].lower() not in ("http", "https"):
        return None
    if has_login(url.partition("://")[2]):
        return "has a login in it: put that into ~/.netrc, or into BULKPUT_HTTP_USER and BULKPUT_HTTP_PASSWORD"
    return "has a query or fragment, and names could not follow it" if "?" in url or "#" in url else None


def _section(where: str, above: str, table: Mapping[str, Any], verbs: Collection[str]) -> Section:
    """`above` is where the table stands, such as `profile.work.`."""
    general: dict[str, Any] = {}
    single: dict[str, Mapping[str, Any]] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            if name not in verbs:
                known = [f"{above}{verb}" for verb in verbs] + ([] if above else ["profile"])
                meant = did_you_mean(f"{above}{name}", known, shown="[{}]")
                raise UsageError(f"{where}: [{above}{printable(name)}] is no table that bulkput knows{meant}")
            single[name] = value
        elif name in verbs:
            raise UsageError(
                f"{where}: {above}{name} is {said(value)}, but {name} is a verb: write [{above}{name}] and its options"
            )
        else:
            general[name] = value
    return Section(general, single)
