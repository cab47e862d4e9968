"""Decides by the rules of a run what is stored with a file, by its name alone.

For each field by itself, and for each name of metadata:

| the field                                | comes from                                   |
|------------------------------------------|----------------------------------------------|
| is one of a rule that matches the file   | the first rule that matches and has it       |
| is any other                             | the option for all objects, if it is given   |

So a rule is stronger than an option. It is stronger than `headers.extra`, too, in upper or lower case:

| the rule has          | and leaves out of `headers.extra`   |
|-----------------------|-------------------------------------|
| content-type          | Content-Type                        |
| cache-control         | Cache-Control                       |
| content-disposition   | Content-Disposition                 |
| expires-in            | X-Delete-After, X-Delete-At         |
| metadata.NAME         | X-Object-Meta-NAME                  |

The marker of a directory is no file, and no rule is about it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bulkput.errors import UsageError, name_text
from bulkput.model import Fields, Ruling
from bulkput.option_types import check_fields
from bulkput.options import HeaderOptions, UploadOptions
from bulkput.policy.expiry import shortest_life_s
from bulkput.policy.filters import Patterns, shortened, text_of
from bulkput.policy.headers import check_content_type, check_name, check_value
from bulkput.record import frozen
from bulkput.rule_options import Rule

TEXTS = {
    "content-type": "content_type",
    "cache-control": "cache_control",
    "content-disposition": "content_disposition",
    "storage-class": "storage_class",
}
"""Fields of a rule whose value is a text, by their names in a rules file."""
_META = "x-object-meta-"


@frozen
class Applied:
    """What is stored with a file. `headers` has the option for all objects where no rule says something."""

    headers: HeaderOptions
    storage_class: str | None
    ruling: Ruling


class Rules:
    """The compiled rules of one run. Names are bytes, relative to the source, parts joined by `/`, as in `Filters`."""

    def __init__(self, options: UploadOptions, *, source: Iterable[bytes] = ()) -> None:
        """`source` has all absolute paths of the only source, and is empty if there are several. Raises UsageError if a
        pattern is not gitignore syntax."""
        places = [name_text(path) for path in source]
        self._options = options
        self._patterns = [_compiled(number, rule, places) for number, rule in enumerate(options.rules, 1)]
        self._known: dict[int, Applied] = {}
        """What follows from rules that match together, by a number with one bit for each of them. A run meets few such
        combinations, however many files it has."""

    def of(self, name: bytes) -> Applied:
        """What is stored with the file `name`."""
        text, matching, bit = text_of(name), 0, 1
        for patterns in self._patterns:
            if patterns.match(text):
                matching |= bit
            bit <<= 1
        applied = self._known.get(matching)
        if applied is None:
            applied = self._known[matching] = self._applied(matching)
        return applied

    def _applied(self, matching: int) -> Applied:
        numbered = enumerate(self._options.rules)
        return apply([(index + 1, rule) for index, rule in numbered if matching >> index & 1], self._options)

    def useless(self) -> list[str]:
        """A sentence for each pattern that has matched nothing, as `Filters.useless`. Any thread may call this."""
        return shortened([line for patterns in self._patterns for line in patterns.useless()])


def _compiled(number: int, rule: Rule, places: Iterable[str]) -> Patterns:
    try:
        return Patterns(f"rule {number}", rule.match, places)
    except UsageError as error:
        raise UsageError(f"rule {number}: {error}") from None


def apply(matching: Sequence[tuple[int, Rule]], options: UploadOptions) -> Applied:
    """Apply the tables above to the rules that match a file. Each has its number, and they are in their order."""
    all_headers, given = options.headers, dict[str, int]()
    found: dict[str, str] = {}
    meta: dict[str, tuple[str, str]] = {}
    expires_in_s, gzip = all_headers.expires_in_s, options.gzip.mode
    for number, rule in matching:
        for field, attribute in TEXTS.items():
            if field not in given and (text := getattr(rule, attribute)) is not None:
                found[field], given[field] = text, number
        if "expires-in" not in given and rule.expires_in_s is not None:
            expires_in_s, given["expires-in"] = rule.expires_in_s, number
        if "gzip" not in given and rule.gzip is not None:
            gzip, given["gzip"] = rule.gzip, number
        for name, value in rule.meta:
            if name.lower() not in meta:
                meta[name.lower()], given[f"metadata.{name}"] = (name, value), number
    headers = HeaderOptions(
        content_type=found.get("content-type", all_headers.content_type),
        cache_control=found.get("cache-control", all_headers.cache_control),
        expires_in_s=expires_in_s,
        meta=(*(field for field in all_headers.meta if field[0].lower() not in meta), *meta.values()),
        extra=_extra(all_headers.extra, found, meta, has_expiry="expires-in" in given),
        mtime_format=all_headers.mtime_format,
    )
    return Applied(headers, found.get("storage-class"), Ruling(gzip, tuple(given.items())))


def _extra(extra: Fields, found: dict[str, str], meta: Iterable[str], *, has_expiry: bool) -> Fields:
    """Apply the second table above."""
    replaced = {*found, *(_META + name for name in meta), *(("x-delete-after", "x-delete-at") if has_expiry else ())}
    kept = tuple(field for field in extra if field[0].lower() not in replaced)
    disposition = found.get("content-disposition")
    return kept if disposition is None else (*kept, ("Content-Disposition", disposition))


def every_header(options: UploadOptions) -> HeaderOptions:
    """The headers that a store has to be able to keep: those of all objects, and those of rules. If objects get
    different lives, it has the shortest."""
    meta = (*options.headers.meta, *(field for rule in options.rules for field in rule.meta))
    return replace(options.headers, meta=meta, expires_in_s=shortest_life_s(options))


def check_rules(options: UploadOptions) -> None:
    """Raises UsageError for a rule that cannot hold. The text names it by its number, counted from 1."""
    for number, rule in enumerate(options.rules, 1):
        try:
            check_rule(rule)
        except UsageError as error:
            raise UsageError(f"rule {number}: {error}") from None
        if rule.gzip is not None and options.gzip.store_as == "suffix":
            raise UsageError(
                f"rule {number} has gzip, and with `gzip.store_as='suffix'` the mode would decide the object's name:"
                " `gzip.exclude` says which files are sent as they are"
            )


def check_rule(rule: Rule) -> None:
    """Raises UsageError for a field of a wrong type, or whose value cannot be sent. The text names no rule."""
    check_fields(rule, "rules.")
    if not any(rule.match):
        raise UsageError("match is missing, which says what files it is about, such as '*.html'")
    if all(pattern.startswith("!") for pattern in rule.match if pattern):
        raise UsageError("match has nothing but exceptions, with !: write what they are exceptions of before them: '*'")
    for field, attribute in TEXTS.items():
        text = getattr(rule, attribute)
        if text is not None and not check_value(text, what=field).strip():
            raise UsageError(f"{field} is empty: leave it out")
    if rule.content_type is not None:
        check_content_type(rule.content_type, what="content-type")
    names = set[str]()
    for name, value in rule.meta:
        check_value(value, what=f"metadata {check_name(name, what='metadata')}")
        if name.lower() in names:
            raise UsageError(f"metadata has {name} twice: upper and lower case are the same to a store")
        names.add(name.lower())


def check_storage_classes(rules: Iterable[Rule], *, has_storage_classes: bool) -> None:
    """Raises UsageError if a rule has a storage class, and the store has none: it must not be left out in silence."""
    for number, rule in enumerate(rules, 1):
        if rule.storage_class is not None and not has_storage_classes:
            raise UsageError(
                f"rule {number} has a storage class, and this store takes none for an object: Swift has a"
                " `storage_policy` for a whole container"
            )
