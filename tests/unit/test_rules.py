"""The tables of `policy/rules.py`, row by row, and what a rule may not say."""

import pytest

from bulkput.errors import UsageError
from bulkput.model import Ruling
from bulkput.options import GzipOptions, HeaderOptions, UploadOptions
from bulkput.policy.rules import Applied, Rules, check_rules, check_storage_classes, every_header
from bulkput.rule_options import Rule

FOR_ALL = HeaderOptions(
    content_type="x/all", cache_control="all", expires_in_s=9, meta=(("Color", "all"), ("Kept", "1")),
    mtime_format="swiftclient",
)  # fmt: skip


def of(name: bytes, *rules: Rule, headers: HeaderOptions = FOR_ALL, gzip: GzipOptions | None = None) -> Applied:
    return Rules(UploadOptions(rules=rules, headers=headers, gzip=gzip or GzipOptions())).of(name)


def rule(*match: str, **fields: object) -> Rule:
    return Rule(match=match, **fields)  # type: ignore[arg-type]


def test_a_file_that_no_rule_matches_gets_what_the_options_say() -> None:
    """Gzip mode included."""
    applied = of(b"a.txt", rule("*.html", cache_control="no-cache"), gzip=GzipOptions(mode="auto"))
    assert applied == Applied(FOR_ALL, None, Ruling("auto", ()))


def test_the_first_matching_rule_counts_for_each_field_by_itself() -> None:
    """A later rule gives the fields that an earlier one does not have."""
    applied = of(
        b"d/a.html",
        rule("*.css", content_type="text/css"),
        rule("*.html", cache_control="first"),
        rule("/d/", cache_control="second", content_type="text/html", expires_in_s=5, gzip="always"),
        rule("*", content_type="third", storage_class="COLD", gzip="never"),
    )
    assert applied.headers == HeaderOptions(
        content_type="text/html", cache_control="first", expires_in_s=5, meta=FOR_ALL.meta, mtime_format="swiftclient"
    )
    assert applied.storage_class == "COLD"
    assert applied.ruling.gzip == "always"
    assert dict(applied.ruling.given) == {
        "cache-control": 2, "content-type": 3, "expires-in": 3, "gzip": 3, "storage-class": 4
    }  # fmt: skip


def test_each_name_of_metadata_is_a_field_by_itself() -> None:
    """Upper and lower case are the same name."""
    applied = of(b"a", rule("a", meta=(("color", "1"),)), rule("*", meta=(("COLOR", "2"), ("Size", "big"))))
    assert applied.headers.meta == (("Kept", "1"), ("color", "1"), ("Size", "big"))
    assert dict(applied.ruling.given) == {"metadata.color": 1, "metadata.Size": 2}


@pytest.mark.parametrize(
    ("fields", "left_out"),
    [
        ({"content_type": "x/y"}, {"content-TYPE"}),
        ({"cache_control": "x"}, {"Cache-Control"}),
        ({"content_disposition": "inline"}, {"CONTENT-disposition"}),
        ({"expires_in_s": 7}, {"X-Delete-At", "x-delete-after"}),
        ({"meta": (("color", "red"),)}, {"X-Object-Meta-Color"}),
        ({"gzip": "always"}, set()),
    ],
)
def test_a_rule_is_stronger_than_a_header_given_for_all(fields: dict[str, object], left_out: set[str]) -> None:
    """All other given headers stay."""
    names = (
        "content-TYPE", "Cache-Control", "CONTENT-disposition", "X-Delete-At", "x-delete-after", "X-Object-Meta-Color",
        "X-Object-Meta-Size", "Content-Language",
    )  # fmt: skip
    extra = tuple((name, "all") for name in names)
    found = of(b"a", rule("*", **fields), headers=HeaderOptions(extra=extra)).headers.extra
    assert {field[0] for field in extra} - {field[0] for field in found if field[1] == "all"} == left_out
    assert [field for field in found if field[1] != "all"] == (
        [("Content-Disposition", "inline")] if "content_disposition" in fields else []
    )


def test_files_with_the_same_rules_share_one_record() -> None:
    """A million files make few."""
    rules = Rules(UploadOptions(rules=(rule("*.html", cache_control="x"), rule("/d/", gzip="never"))))
    assert rules.of(b"a.html") is rules.of(b"b.html")
    assert rules.of(b"d/a.html") is not rules.of(b"b.html")
    assert rules.of(b"a") is rules.of(b"b")


def test_patterns_have_the_syntax_of_include() -> None:
    """`./` and the source's own path are the source; `!` takes back; odd names match."""
    rules = Rules(UploadOptions(rules=(rule("./a", "/src/b", "c*", "!c2", cache_control="x"),)), source=[b"/src"])
    names = (b"a", b"d/a", b"b", b"c1", b"c2", b"d/c\n\xff", b"x")
    assert [name for name in names if rules.of(name).ruling.given] == [b"a", b"b", b"c1", b"d/c\n\xff"]


def test_a_pattern_that_matched_nothing_is_told_with_the_number_of_its_rule() -> None:
    """A comment, which matches nothing in gitignore syntax, has a sentence of its own."""
    rules = Rules(UploadOptions(rules=(rule("*.html", cache_control="x"), rule("*.map", "*", "#x", gzip="never"))))
    rules.of(b"a.html")
    assert [line.partition(" matche")[0].partition(" in git")[0] for line in rules.useless()] == [
        "rule 2 '*.map'",
        "rule 2 '#x' is a comment",
    ]


def test_a_pattern_that_is_not_gitignore_syntax_is_refused() -> None:
    """With the number of its rule."""
    with pytest.raises(UsageError, match="rule 2: not a gitignore pattern"):
        Rules(UploadOptions(rules=(rule("a", gzip="never"), rule("!", gzip="never"))))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (rule(gzip="never"), "match is missing"),
        (rule("", gzip="never"), "match is missing"),
        (Rule(match="*.html"), r"`rules.match` is a tuple of str: write \('\*.html',\)"),  # type: ignore[arg-type]
        (rule("a", content_type="a\nb"), r"content-type: the value 'a\\nb' has a control character"),
        (rule("a", content_type=" "), "content-type is empty: leave it out"),
        (rule("a", content_disposition=""), "content-disposition is empty"),
        (rule("a", storage_class="\udc80"), "storage-class: the value .* is not UTF-8"),
        (rule("a", cache_control=7), "`rules.cache_control` is a str or None, not int"),
        (rule("a", meta=(("a b", "c"),)), "metadata: 'a b' is not a header name"),
        (rule("a", meta=(("ETag", "c"),)), "metadata: ETag is set by bulkput itself"),
        (rule("a", meta=(("a", "\r"),)), r"metadata a: the value '\\r' has a control character"),
        (rule("a", meta=(("a", "1"), ("A", "2"))), "metadata has A twice"),
        (rule("a", expires_in_s=0), "`rules.expires_in_s` is 1 or more, not 0"),
        (rule("a", gzip="best"), "`rules.gzip` is one of auto, always, never or None, not"),
    ],
)
def test_a_rule_that_cannot_hold_is_refused_by_its_number(wrong: Rule, says: str) -> None:
    """Counted from 1."""
    with pytest.raises(UsageError, match=f"^rule 2: {says}"):
        check_rules(UploadOptions(rules=(rule("a", gzip="never"), wrong)))


def test_gzip_by_rules_and_a_suffix_exclude_each_other() -> None:
    """A rule with other fields is allowed with it."""
    suffix = GzipOptions(mode="always", store_as="suffix")
    check_rules(UploadOptions(gzip=suffix, rules=(rule("a", cache_control="x"),)))
    with pytest.raises(UsageError, match=r"rule 1 has gzip, and with `gzip.store_as='suffix'`"):
        check_rules(UploadOptions(gzip=suffix, rules=(rule("a", gzip="never"),)))


def test_a_storage_class_is_refused_where_objects_have_none() -> None:
    """It is not left out in silence."""
    rules = (rule("a", gzip="never"), rule("a", storage_class="COLD"))
    check_storage_classes(rules, has_storage_classes=True)
    check_storage_classes(rules[:1], has_storage_classes=False)
    with pytest.raises(UsageError, match=r"rule 2 has a storage class.*`storage_policy`"):
        check_storage_classes(rules, has_storage_classes=False)


@pytest.mark.parametrize(
    ("life_s", "rule_lives_s", "shortest"), [(None, (None,), None), (9, (None, 12), 9), (9, (8, 7), 7), (None, (8,), 8)]
)
def test_a_store_is_asked_to_keep_all_metadata_and_the_shortest_life(
    life_s: int | None, rule_lives_s: tuple[int | None, ...], shortest: int | None
) -> None:
    """Those of the options for all objects, and those of every rule."""
    rules = tuple(rule("a", expires_in_s=each, meta=(("n", "1"),)) for each in rule_lives_s)
    headers = every_header(UploadOptions(headers=HeaderOptions(expires_in_s=life_s, meta=(("m", "0"),)), rules=rules))
    assert headers.expires_in_s == shortest
    assert headers.meta == (("m", "0"), *(("n", "1") for _ in rules))


@pytest.mark.parametrize(
    ("modes", "mode", "compresses"),
    [((), "never", False), ((None, "never"), "never", False), (("auto",), "never", True), (("never",), "auto", True)],
)
def test_an_upload_compresses_if_the_option_or_a_rule_says_so(
    modes: tuple[str | None, ...], mode: str, compresses: bool
) -> None:
    """Then its objects may have a Content-Encoding, unless they get a suffix."""
    rules = tuple(rule("a", gzip=each) for each in modes)
    options = UploadOptions(gzip=GzipOptions(mode=mode), rules=rules)  # type: ignore[arg-type]
    assert (options.compresses, options.encodes) == (compresses, compresses)
