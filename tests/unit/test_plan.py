"""The plan's table, row by row."""

from dataclasses import replace

import pytest

from bulkput.errors import SourceError, TooLarge
from bulkput.model import Found, Limits, Listed, ObjectHeaders, Reason, Skip, SourceFile, Upload
from bulkput.options import GzipOptions, HeaderOptions, NamingOptions, UploadOptions
from bulkput.policy.gzip_names import GzipNames
from bulkput.policy.plan import decide, over_limits
from bulkput.policy.rules import Rules
from bulkput.rule_options import Rule

FILE = SourceFile(b"/src/d/a.txt", b"d/a.txt", 10, 1_700_000_000_123_456_789)
NAMING = NamingOptions(prefix="p/")
HEADERS = HeaderOptions()
LIMITS = Limits(max_name_bytes=16, max_object_bytes=100)


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    "found",
    [
        Skip(b"/src/x", b"x", Reason.EXCLUDED),
        Skip(b"/src/\xff", b"\xff", Reason.LINK_OUTSIDE),
        SourceError(b"/src/y", "vanished", "gone"),
    ],
)
def test_a_decision_of_the_source_is_passed_on_unchanged(found: Found, dry_run: bool) -> None:
    """The very same record: no second opinion."""
    assert decide(found, naming=NAMING, headers=HEADERS, limits=LIMITS, dry_run=dry_run) is found


def test_a_file_becomes_an_upload_with_key_type_and_time() -> None:
    """Under the prefix, with its type and its time."""
    decision = decide(FILE, naming=NAMING, headers=HEADERS, limits=LIMITS)
    assert decision == Upload(FILE, "p/d/a.txt", ObjectHeaders(content_type="text/plain", mtime_ns=FILE.mtime_ns))


def test_a_dry_run_skips_a_file_with_its_key_and_size() -> None:
    """A skip with the key and the size."""
    decision = decide(FILE, naming=NAMING, headers=HEADERS, limits=LIMITS, dry_run=True)
    assert decision == Skip(FILE.path, FILE.name, Reason.DRY_RUN, "p/d/a.txt", 10)


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_name_without_an_object_name_fails_before_any_request(dry_run: bool) -> None:
    """The error has the whole path."""
    file = replace(FILE, name=b"d/\xff", path=b"/src/d/\xff")
    decision = decide(file, naming=NAMING, headers=HEADERS, limits=LIMITS, dry_run=dry_run)
    assert isinstance(decision, SourceError)
    assert (decision.path, decision.problem) == (b"/src/d/\xff", "name")


def test_percent_encoding_gives_every_file_an_object_name() -> None:
    """The same file, escaped."""
    file = replace(FILE, name=b"d/\xff")
    naming = replace(NAMING, encode="percent")
    decision = decide(file, naming=naming, headers=HEADERS, limits=LIMITS)
    assert isinstance(decision, Upload)
    assert decision.key == "p/d/%FF"


def test_an_empty_object_name_is_refused() -> None:
    """A PUT to it would address the container."""
    decision = decide(replace(FILE, name=b""), naming=NamingOptions(), headers=HEADERS, limits=LIMITS)
    assert isinstance(decision, SourceError)
    assert decision.problem == "name"


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    ("name", "size", "fits"),
    [
        (b"n" * 14, 100, True),
        (b"n" * 15, 100, False),
        (b"n" * 14, 101, False),
        ("é".encode() * 7, 0, True),
        ("é".encode() * 7 + b"n", 0, False),
    ],
)
def test_limits_count_bytes_with_the_prefix(name: bytes, size: int, fits: bool, dry_run: bool) -> None:
    """Names up to 16 bytes and files up to 100 bytes pass; a dry run has the same limits."""
    file = replace(FILE, name=name, size=size)
    decision = decide(file, naming=NAMING, headers=HEADERS, limits=LIMITS, dry_run=dry_run)
    assert isinstance(decision, TooLarge) is not fits


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_file_to_be_compared_may_exceed_the_size_limit(dry_run: bool) -> None:
    """It may exist as a large object; its name is still checked."""
    file = replace(FILE, size=101, listed=Listed(None))
    assert isinstance(decide(file, naming=NAMING, headers=HEADERS, limits=LIMITS, dry_run=dry_run), Upload)
    file = replace(file, name=b"n" * 15)
    assert isinstance(decide(file, naming=NAMING, headers=HEADERS, limits=LIMITS, dry_run=dry_run), TooLarge)


ALL = GzipOptions(mode="always", store_as="suffix")
OTHERS = [
    GzipOptions(mode="always", store_as="suffix", exclude=("/d/", "n*")),
    GzipOptions(mode="always"),
    GzipOptions(mode="auto"),
    GzipOptions(mode="never", store_as="suffix"),
]


@pytest.mark.parametrize(("gzip", "key"), [(ALL, "p/d/a.txt.gz"), *((gzip, "p/d/a.txt") for gzip in OTHERS)])
def test_the_gzip_suffix_depends_on_the_file_name(gzip: GzipOptions, key: str) -> None:
    """A dry run gives the same key, and an excluded file keeps its name."""
    names = GzipNames(gzip)
    planned = decide(FILE, naming=NAMING, headers=HEADERS, gzip=names, limits=LIMITS)
    assert isinstance(planned, Upload) and planned.key == key
    decision = decide(FILE, naming=NAMING, headers=HEADERS, gzip=names, limits=LIMITS, dry_run=True)
    assert decision == Skip(FILE.path, FILE.name, Reason.DRY_RUN, key, 10)


@pytest.mark.parametrize(("gzip", "longest"), [(ALL, 11), *((gzip, 14) for gzip in OTHERS)])
def test_the_gzip_suffix_counts_towards_the_name_limit(gzip: GzipOptions, longest: int) -> None:
    """The limit is 16 bytes with prefix and .gz."""
    for length in (longest, longest + 1):
        file = replace(FILE, name=b"n" * length)
        decision = decide(file, naming=NAMING, headers=HEADERS, gzip=GzipNames(gzip), limits=LIMITS)
        assert isinstance(decision, TooLarge) is (length > longest)


def test_an_exact_destination_is_the_whole_object_name() -> None:
    """The file's own name may be invalid UTF-8; the object's name decides the type."""
    file = replace(FILE, name=b"\xff.txt")
    naming = NamingOptions(prefix="p/new.html", is_exact=True)
    decision = decide(file, naming=naming, headers=HEADERS, limits=LIMITS)
    assert isinstance(decision, Upload)
    assert (decision.key, decision.headers.content_type) == ("p/new.html", "text/html")


def test_header_options_apply_to_every_object() -> None:
    """A given content type wins over the suffix."""
    options = HeaderOptions(
        content_type="x/y", cache_control="no-store", expires_in_s=60, meta=(("a", "1"),), extra=(("X-B", "2"),)
    )
    decision = decide(FILE, naming=NAMING, headers=options, limits=LIMITS)
    assert isinstance(decision, Upload)
    assert decision.headers == ObjectHeaders(
        content_type="x/y",
        mtime_ns=FILE.mtime_ns,
        cache_control="no-store",
        expires_in_s=60,
        meta=(("a", "1"),),
        extra=(("X-B", "2"),),
    )


def test_a_limit_error_has_both_figures() -> None:
    """They are the actual value and the limit of the store."""
    assert over_limits(100, "n" * 16, LIMITS) is None
    assert "17 bytes, the store takes 16" in str(over_limits(0, "n" * 17, LIMITS))
    assert "101 bytes, the store takes 100" in str(over_limits(101, "n", LIMITS))


RULES = Rules(
    UploadOptions(
        headers=HeaderOptions(cache_control="all"),
        rules=(
            Rule(match=("*.txt",), cache_control="no-cache", storage_class="COLD", gzip="always"),
            Rule(match=("*",), content_type="x/y", gzip="auto"),
        ),
    )
)
RULED = ObjectHeaders(content_type="x/y", mtime_ns=FILE.mtime_ns, cache_control="no-cache", storage_class="COLD")


def test_rules_decide_what_a_file_gets() -> None:
    """The upload says which rule gave which field; a dry run gives the same upload."""
    decided = decide(FILE, naming=NAMING, headers=HEADERS, rules=RULES, limits=LIMITS)
    given = (("cache-control", 1), ("storage-class", 1), ("gzip", 1), ("content-type", 2))
    assert isinstance(decided, Upload)
    assert (decided.key, decided.headers) == ("p/d/a.txt", RULED)
    assert decided.ruling is not None and decided.ruling.gzip == "always"
    assert sorted(decided.ruling.given) == sorted(given)
    planned = decide(FILE, naming=NAMING, headers=HEADERS, rules=RULES, limits=LIMITS, dry_run=True)
    assert planned == Skip(FILE.path, FILE.name, Reason.DRY_RUN, "p/d/a.txt", 10, planned=decided)


def test_rules_are_about_names_in_the_source_and_not_object_names() -> None:
    """A single file that gets another name is matched by its own."""
    naming = NamingOptions(prefix="new.html", is_exact=True)
    decided = decide(FILE, naming=naming, headers=HEADERS, rules=RULES, limits=LIMITS)
    assert isinstance(decided, Upload)
    assert (decided.key, decided.headers.cache_control) == ("new.html", "no-cache")


def test_no_rule_is_about_the_marker_of_a_directory() -> None:
    """It gets what the options say."""
    directory = replace(FILE, name=b"d.txt", size=0, is_directory=True)
    decided = decide(directory, naming=NAMING, headers=HEADERS, rules=RULES, limits=LIMITS)
    assert isinstance(decided, Upload)
    assert decided.headers == ObjectHeaders(content_type="application/directory")
    assert decided.ruling is None


def test_an_excluded_file_is_not_compressed_whatever_rules_say() -> None:
    """`gzip.exclude` is stronger; the rest of the rule holds."""
    gzip = GzipNames(GzipOptions(exclude=("a.txt",)), compresses=True)
    decided = decide(FILE, naming=NAMING, headers=HEADERS, gzip=gzip, rules=RULES, limits=LIMITS)
    assert isinstance(decided, Upload) and decided.ruling is not None
    assert decided.headers == RULED
    assert (decided.ruling.gzip, "gzip" in dict(decided.ruling.given)) == ("never", False)
