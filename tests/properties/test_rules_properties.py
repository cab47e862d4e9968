"""First match wins per field: rules, compiled and cached, equal the naive reading of their definition."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bulkput.options import GzipOptions, HeaderOptions, UploadOptions, WalkOptions
from bulkput.policy.filters import Filters
from bulkput.policy.rules import Rules
from bulkput.policy.rules import apply as applied_by
from bulkput.rule_options import Rule

patterns = st.lists(
    st.sampled_from(["*", "*.html", "!*.html", "/d/", "d/*", "a*", "!a.css", "**/b.css"]), min_size=1, max_size=3
).map(tuple)
values = st.none() | st.sampled_from(["x", "y", "z"])
metas = st.dictionaries(st.sampled_from(["a", "A", "b", "C"]), st.sampled_from("123"), max_size=2).filter(
    lambda meta: len({name.lower() for name in meta}) == len(meta)
)
meta_fields = metas.map(lambda meta: tuple(meta.items()))
rules = st.builds(
    Rule,
    match=patterns,
    content_type=values,
    cache_control=values,
    content_disposition=values,
    meta=meta_fields,
    expires_in_s=st.none() | st.integers(1, 3),
    gzip=st.none() | st.sampled_from(["auto", "always", "never"]),
    storage_class=values,
)
headers = st.builds(
    HeaderOptions,
    content_type=values,
    cache_control=values,
    expires_in_s=st.none() | st.integers(1, 3),
    meta=meta_fields,
    extra=st.sets(st.sampled_from(["Content-Disposition", "cache-control", "X-Delete-At", "x-object-meta-A", "X"])).map(
        lambda names: tuple((name, "0") for name in sorted(names))
    ),
)
options = st.builds(
    UploadOptions,
    rules=st.lists(rules, max_size=5).map(tuple),
    headers=headers,
    gzip=st.builds(GzipOptions, mode=st.sampled_from(["auto", "always", "never"])),
)
names = st.sampled_from([b"a.html", b"b.css", b"a.css", b"d/a.html", b"d/b.css", b"d/e/b.css", b"x", b"d/\xff"])


def sent(headers: HeaderOptions) -> dict[str, Any]:
    """What a store that knows Swift's names would send."""
    fields: dict[str, Any] = {f"x-object-meta-{name}".lower(): value for name, value in headers.meta}
    given = {"content-type": headers.content_type, "cache-control": headers.cache_control}
    given["x-delete-after"] = headers.expires_in_s
    fields |= {name: value for name, value in given.items() if value is not None}
    return fields | {name.lower(): value for name, value in headers.extra}


def naive(options: UploadOptions, name: bytes) -> tuple[dict[str, Any], str, str | None]:
    """Fields, gzip mode and storage class: the options for all, overwritten by the rules from the last to the first."""
    fields, mode, storage_class = sent(options.headers), str(options.gzip.mode), None
    for rule in reversed(options.rules):
        if not Filters(WalkOptions(include=rule.match)).takes_file(name):
            continue
        fields |= {
            field: value
            for field, value in (
                ("content-type", rule.content_type),
                ("cache-control", rule.cache_control),
                ("content-disposition", rule.content_disposition),
            )
            if value is not None
        }
        if rule.expires_in_s is not None:
            fields.pop("x-delete-at", None)
            fields["x-delete-after"] = rule.expires_in_s
        fields |= {f"x-object-meta-{meta}".lower(): value for meta, value in rule.meta}
        mode, storage_class = rule.gzip or mode, rule.storage_class or storage_class
    return fields, mode, storage_class


@given(options, st.lists(names, min_size=1, max_size=8))
def test_the_first_rule_that_matches_and_has_a_field_gives_it(options: UploadOptions, files: list[bytes]) -> None:
    """Whatever was asked before: the cache changes nothing."""
    compiled = Rules(options)
    for name in files:
        applied = compiled.of(name)
        assert (sent(applied.headers), applied.ruling.gzip, applied.storage_class) == naive(options, name)
        assert applied == Rules(options).of(name)


@given(options, names)
def test_a_field_is_told_to_be_of_the_rule_that_gave_it(options: UploadOptions, name: bytes) -> None:
    """That rule alone gives the same value, and no earlier one matches and has the field."""
    given_by = Rules(options).of(name).ruling.given
    for field, number in given_by:
        alone = applied_by([(number, options.rules[number - 1])], options)
        assert (field, number) in alone.ruling.given
        for rule in options.rules[: number - 1]:
            if Filters(WalkOptions(include=rule.match)).takes_file(name):
                assert field.lower() not in [each[0].lower() for each in applied_by([(1, rule)], options).ruling.given]
