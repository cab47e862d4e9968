"""A file with the rules of an upload (`policy/rules.py`), in TOML.

    [[rule]]
    match = ["*.html", "/feed.xml"]     # gitignore syntax, relative to the source; a single one needs no list
    content-type = "text/html; charset=utf-8"
    cache-control = "no-cache"
    content-disposition = "inline"
    metadata = {build = "4711"}
    expires-in = "30d"                  # or a number of seconds
    gzip = "auto"                       # or always, never
    storage-class = "COLD"

Every field but `match` may be missing. A rule without any other field is a mistake, as it says nothing.
"""

from collections.abc import Mapping
from typing import Any, get_args

from bulkput.config.files import read
from bulkput.config.tables import said
from bulkput.errors import UsageError, printable
from bulkput.model import Fields, GzipMode
from bulkput.policy.duration import seconds_of
from bulkput.policy.nearest import did_you_mean
from bulkput.policy.rules import TEXTS, check_rule
from bulkput.rule_options import Rule

_FIELDS = ("match", *TEXTS, "metadata", "expires-in", "gzip")


def read_rules(path: str) -> tuple[Rule, ...]:
    """The rules in the file, in their order; at least one. Raises UsageError, which names the file and the rule."""
    table, where = read("user", path).table, printable(path)
    if other := next((name for name in table if name != "rule"), None):
        near = did_you_mean(other, ["rule"], shown="[[{}]]") or ": it has tables [[rule]] and nothing else"
        raise UsageError(f"{where}: {printable(other)!r} is nothing that a file of rules has{near}")
    found = table.get("rule", [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise UsageError(f"{where}: rule is {said(found)}: begin each rule with [[rule]], in two brackets")
    if not found:
        raise UsageError(f"{where}: there is no rule in it: begin each with [[rule]]")
    return tuple(_numbered(where, number, each) for number, each in enumerate(found, 1))


def _numbered(where: str, number: int, table: Mapping[str, Any]) -> Rule:
    try:
        return _rule(table)
    except UsageError as error:
        raise UsageError(f"{where}: rule {number}: {error}") from None


def _rule(table: Mapping[str, Any]) -> Rule:
    for name in table:
        if name not in _FIELDS:
            near = did_you_mean(name, _FIELDS) or f": a rule has {', '.join(_FIELDS)}"
            raise UsageError(f"{printable(name)!r} is no field of a rule{near}")
    rule = Rule(
        match=_match(table.get("match", [])),
        meta=_metadata(table.get("metadata", {})),
        expires_in_s=_seconds(table.get("expires-in")),
        gzip=_mode(table.get("gzip")),
        **{attribute: _text(table[field], field) for field, attribute in TEXTS.items() if field in table},
    )
    check_rule(rule)
    if rule == Rule(match=rule.match):
        raise UsageError("it says nothing about its files: give it a field beside match")
    return rule


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{field} is {said(value)}: write a string, in quotes")
    return value.strip()


def _match(value: Any) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        found = "a list that holds something else" if isinstance(given, list) else said(given)
        raise UsageError(f'match is {found}: write a pattern, "*.html", or a list of patterns')
    return tuple(given)


def _metadata(value: Any) -> Fields:
    if not isinstance(value, dict):
        raise UsageError(f'metadata is {said(value)}: write {{name = "value"}}')
    return tuple((name, _text(each, f"metadata.{printable(name)}")) for name, each in value.items())


def _seconds(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise UsageError(f'expires-in is {said(value)}: write a duration, "30d"')
    try:
        return seconds_of(str(value))
    except UsageError as error:
        raise UsageError(f"expires-in: {error}") from None


def _mode(value: Any) -> GzipMode | None:
    modes: tuple[GzipMode, ...] = get_args(GzipMode)
    mode = next((each for each in modes if each == value), None)
    if mode is None and value is not None:
        found = printable(repr(value)) if isinstance(value, str) else said(value)
        raise UsageError(f'gzip is {found}: write "auto", "always" or "never"')
    return mode
