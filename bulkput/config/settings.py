"""Which of several values of an option counts, and where it comes from.

The strongest first:

1. the command line
2. the environment: BULKPUT_MAX_ERRORS
3. the profiles in use, one after the other
4. what stands in no profile

In 3 and 4 the project's file is stronger than the user's, and in a file the verb's table is stronger than the options
for all verbs. A value replaces the weaker ones; lists are not joined. One option is bound to its profile: `cloud` says
whose account a destination is in, so the environment must not replace it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

from bulkput.config.names import variable
from bulkput.config.tables import Config, Section
from bulkput.config.trust import ONLY_TYPED, refusal
from bulkput.config.values import Key, Typed, from_toml, from_variable, of_project, of_user
from bulkput.errors import UsageError, printable
from bulkput.policy.nearest import did_you_mean
from bulkput.record import frozen

OriginKind = Literal["flag", "environment", "project", "user", "default"]

BOUND = "cloud"
"""The option that belongs to the destination of a profile."""
_LOGINS = ("OS_CLOUD", "OS_AUTH_URL", "OS_STORAGE_URL", "ST_AUTH")
"""Variables that say how to log in: `cloud` outside of a profile is weaker than them."""
_RIVALS = (("quiet", "verbose"), ("fail-fast", "max-errors"), ("json", "csv"), ("url-expires-in", "expires-at"))
"""Options that exclude each other: the one from the stronger source counts."""


@frozen
class Origin:
    """Where a value comes from: `name` is a variable or the path of a file, `table` the table in it, such as
    `profile.work.upload`."""

    kind: OriginKind
    name: str = ""
    table: str = ""

    def __str__(self) -> str:
        if self.kind in ("flag", "default"):
            return self.kind
        return printable(self.name) + (f" [{self.table}]" if self.table else "")

    def of(self, key: str) -> str:
        """The place of one option, for a message about it."""
        if self.kind == "environment":
            return self.name
        return f"{printable(self.name)}: " + ".".join(filter(None, (self.table, printable(key))))


@frozen
class Setting:
    """A value as it would be typed, and where it comes from."""

    value: Typed
    origin: Origin


@frozen(kw_only=True)
class Layer:
    """One table of options. `is_for_all`: it may have options that only other verbs know."""

    origin: Origin
    values: Mapping[str, Any]
    is_for_all: bool = False
    is_profile: bool = False


def layers(configs: Sequence[Config], verb: str, profiles: Sequence[str]) -> list[Layer]:
    """The tables of files that a verb reads, the strongest first. `configs` and `profiles` are in that order, too."""
    found: list[Layer] = []
    for name in profiles:
        for config in configs:
            if name in config.profiles:
                found += _tables(config, config.profiles[name].options, verb, profile=name)
    for config in configs:
        found += _tables(config, config.options, verb)
    return found


def check(layer: Layer, keys: Collection[str], every: Collection[str]) -> None:
    """Raises UsageError for an option that does not exist, or that this file may not set.

    `keys` are the options of the table's verb, `every` those of all verbs.
    """
    for key in layer.values:
        if not (key in keys or (layer.is_for_all and key in every)):
            known = every if layer.is_for_all else keys
            of_what = "" if layer.is_for_all else " of this verb"
            raise UsageError(f"{layer.origin.of(key)} is no option{of_what}{did_you_mean(key, known)}")
        if (why := refusal(key, is_project=layer.origin.kind == "project")) is not None:
            raise UsageError(f"{layer.origin.of(key)} {why}")


def resolve(
    tables: Sequence[Layer], keys: Mapping[str, Key], environ: Mapping[str, str], typed: Collection[str] = ()
) -> dict[str, Setting]:
    """The options that are set by a file or by the environment. `typed` are those that the command line sets.

    Raises UsageError for a value that is nothing to type, such as a number for a flag.
    """
    ranked = [_environment(keys, environ), *tables]
    ranks: dict[str, int] = {}
    for key in keys:
        if key not in typed and (rank := _strongest(key, ranked, environ)) is not None:
            ranks[key] = rank
    found = {key: _setting(key, ranked[rank], keys[key]) for key, rank in ranks.items()}
    for one, other in (each for pair in _RIVALS for each in (pair, pair[::-1])):
        is_on = one in found and found[one].value is not False
        if one in typed or (is_on and ranks[one] < ranks.get(other, -1)):
            found.pop(other, None)
    return found


def _tables(config: Config, section: Section, verb: str, *, profile: str | None = None) -> Iterator[Layer]:
    above = f"profile.{profile}" if profile is not None else ""
    if verb in section.verbs:
        origin = Origin(config.kind, config.path, f"{above}.{verb}" if above else verb)
        yield Layer(origin=origin, values=section.verbs[verb], is_profile=profile is not None)
    origin = Origin(config.kind, config.path, above)
    yield Layer(origin=origin, values=section.general, is_for_all=True, is_profile=profile is not None)


def _environment(keys: Collection[str], environ: Mapping[str, str]) -> Layer:
    """An empty variable counts as not set."""
    values = {key: text for key in keys if key not in ONLY_TYPED and (text := environ.get(variable(key)))}
    return Layer(origin=Origin("environment"), values=values)


def _strongest(key: str, ranked: Sequence[Layer], environ: Mapping[str, str]) -> int | None:
    """The place in `ranked` of the layer whose value counts."""
    found = [rank for rank, layer in enumerate(ranked) if key in layer.values]
    if key == BOUND:
        found.sort(key=lambda rank: not ranked[rank].is_profile)
        if any(environ.get(name) for name in _LOGINS):
            found = [rank for rank in found if ranked[rank].is_profile or rank == 0]
    return found[0] if found else None


def _setting(key: str, layer: Layer, about: Key) -> Setting:
    value, origin = layer.values[key], layer.origin
    if origin.kind == "environment":
        origin = Origin("environment", variable(key))
    try:
        return Setting(_typed(value, origin, about), origin)
    except ValueError as error:
        raise UsageError(f"{origin.of(key)} {error}") from None


def _typed(value: Any, origin: Origin, about: Key) -> Typed:
    """Raises ValueError."""
    if origin.kind == "environment":
        return from_variable(value, about.shape)
    found = from_toml(value, about.shape)
    match found:
        case str() if about.is_path:
            return _placed(found, origin)
        case tuple() if about.is_path:
            return tuple(_placed(each, origin) for each in found)
    return found


def _placed(path: str, origin: Origin) -> str:
    return of_project(path, origin.name) if origin.kind == "project" else of_user(path)
