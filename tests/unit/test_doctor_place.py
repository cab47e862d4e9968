"""How the doctor judges the login, the container, quotas, and what a probe has shown, by tables."""

import pytest

from bulkput.doctor import holds, place
from bulkput.doctor.finding import Finding, Report, Step, failure, ok, skipped, warning
from bulkput.doctor.holds import Large
from bulkput.doctor.trouble import advice_for, cause_of
from bulkput.errors import (
    BulkputError,
    Conflict,
    Denied,
    IntegrityError,
    NotFound,
    QuotaExceeded,
    StoreError,
    StoreGone,
    Throttled,
    TooLarge,
    Unavailable,
    Unsupported,
    UsageError,
)
from bulkput.model import Limits, RemoteObject
from bulkput.payload.in_memory import BytesBody
from bulkput.policy.temp_url import parse
from bulkput.stores.powers import Checked, ContainerFacts, LoggedIn, Space

BODY = BytesBody.of(b"probe")
ROW = RemoteObject("k", 5, BODY.md5, None, None)
DENIED = Denied("get", "k", "Forbidden", status=403)
DOWN = Unavailable("get", "k", "Service Unavailable", status=503)


def judged(finding: Finding) -> tuple[str, str]:
    return finding.verdict.value, finding.cause


def of_code(code: str) -> Denied:
    """A refusal of S3."""
    error = Denied("stat", "b", code, status=403)
    error.code = code
    return error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (Denied("put", "k", "", status=401), "unauthorized"),
        (DENIED, "forbidden"),
        (Denied("put", "k", "TLS certificate not accepted"), "refused"),
        (QuotaExceeded("put", "k", "", status=413), "quota-full"),
        (NotFound("put", "k", "", status=404), "not-found"),
        (Throttled("put", "k", "", status=429), "throttled"),
        (TooLarge("put", "k", "", status=413), "too-large"),
        (Unsupported("put", "k", "", status=405), "unsupported"),
        (IntegrityError("put", "k", expected="a", actual="b", status=201), "integrity"),
        (Unavailable("put", "k", "no answer in time"), "no-answer"),
        (StoreGone("login", "k", "cannot connect"), "no-answer"),
        (DOWN, "server-error"),
        (StoreGone("login", "k", "", status=502), "server-error"),
        (Conflict("put", "k", "", status=409), "refused"),
        (StoreError("put", "k", "", status=400), "refused"),
        (UsageError("x"), "refused"),
        (StoreGone("stat", "b", "no S3", status=200), "not-stored"),
        (StoreGone("stat", "b", "", status=502), "server-error"),
        (of_code("InvalidAccessKeyId"), "unknown-key"),
        (of_code("SignatureDoesNotMatch"), "wrong-secret"),
        (of_code("ExpiredToken"), "expired-keys"),
        (of_code("RequestTimeTooSkewed"), "clock"),
        (of_code("AuthorizationHeaderMalformed"), "wrong-region"),
        (of_code("AccessDenied"), "forbidden"),
    ],
)
def test_each_error_has_a_cause_with_advice(error: BulkputError, cause: str) -> None:
    """The table is that of the module."""
    assert cause_of(error) == cause
    assert advice_for(cause)


def logged_in(url: str, lives_s: float | None = 3600, cannot_renew: str | None = None) -> LoggedIn:
    return LoggedIn(storage_url=url, lives_s=lives_s, cannot_renew=cannot_renew)


@pytest.mark.parametrize(
    ("outcome", "expected", "says"),
    [
        (logged_in("https://a/v1/A"), ("ok", ""), "a token that lives 1 h; the account is at https://a/v1/A"),
        (logged_in("https://a/v1/A", None), ("ok", ""), "how long it lives"),
        (logged_in("https://a/v1/A", None, "given"), ("ok", ""), "nothing here can renew"),
        (logged_in("http://a/v1/A"), ("warn", "storage-not-encrypted"), "http://a/v1/A"),
        (UsageError("ST_AUTH must name a v1 auth URL"), ("fail", "login"), "ST_AUTH must name"),
        (Denied("login", "me", "check ST_KEY", status=401), ("fail", "unauthorized"), "check ST_KEY"),
        (Denied("login", "me", "check ST_KEY", status=403), ("fail", "unauthorized"), "check ST_KEY"),
        (StoreGone("login", "me", "", status=503), ("fail", "server-error"), "503"),
    ],
)
def test_a_login_is_judged(outcome: LoggedIn | BulkputError, expected: tuple[str, str], says: str) -> None:
    """The login is by https://."""
    finding = place.login("https://auth/", "me", outcome, 0.1)
    assert judged(finding) == expected and says in finding.text


def test_a_login_without_tls_expects_none_of_the_store() -> None:
    """On a closed network both are http://."""
    assert place.login("http://auth/", "me", logged_in("http://a/v1/A"), 0.1).verdict == "ok"


@pytest.mark.parametrize(
    ("seen", "expected", "says"),
    [
        (ContainerFacts(False, None), ("ok", ""), "c: there"),
        (
            ContainerFacts(
                True, None, policy="gold", readers=".r:*", writers="a:b", space=Space(objects=1, bytes=2048)
            ),
            ("ok", ""),
            "c: 1 object, 2.0 KiB, policy gold; readers .r:*; writers a:b",
        ),
        (ContainerFacts(True, None, archives=True), ("warn", "keeps-versions"), "it keeps old versions"),
        (NotFound("stat", "c", "", status=404), ("warn", "missing"), "there is no such container"),
        (Denied("stat", "c", "Forbidden", status=403), ("warn", "unseen"), "403"),
        (Denied("stat", "c", "", status=401), ("fail", "unauthorized"), "401"),
        (DOWN, ("fail", "server-error"), "503"),
    ],
)
def test_a_container_is_judged(seen: ContainerFacts | BulkputError, expected: tuple[str, str], says: str) -> None:
    """A missing one is no failure, since an upload makes it."""
    finding = place.place("c", seen, 0.1, what="container")
    assert judged(finding) == expected and says in finding.text


@pytest.mark.parametrize(
    ("seen", "expected", "says"),
    [
        (ContainerFacts(False, None), ("ok", ""), "b: there"),
        (
            ContainerFacts(True, None, archives=True, leaves_marks=True),
            ("warn", "keeps-versions"),
            "it keeps old versions",
        ),
        (ContainerFacts(True, None, leaves_marks=True), ("warn", "keeps-versions"), "has kept old versions"),
        (ContainerFacts(False, None, region="eu-west-1"), ("warn", "wrong-region"), "in the region eu-west-1"),
        (NotFound("stat", "b", "", status=404), ("fail", "missing"), "there is no such bucket"),
        (of_code("AccessDenied"), ("warn", "unseen"), "403"),
        (of_code("InvalidAccessKeyId"), ("fail", "unknown-key"), "403"),
        (StoreGone("stat", "b", "no S3", status=200), ("fail", "not-stored"), "no S3"),
    ],
)
def test_a_bucket_is_judged(seen: ContainerFacts | BulkputError, expected: tuple[str, str], says: str) -> None:
    """A missing one is a failure, since an upload makes it only if that is asked for."""
    finding = place.place("b", seen, 0.1, what="bucket")
    assert judged(finding) == expected and says in finding.text
    assert bool(finding.advice) == (finding.verdict in ("warn", "fail"))


NOW_S = 1_800_000_000.0
"""2027-01-15T08:00:00Z"""


@pytest.mark.parametrize(
    ("begun", "expected", "says"),
    [
        ([], ("ok", ""), "no upload in parts is unfinished"),
        (["2027-01-15T07:59:00.000"], ("ok", ""), "1 upload in parts unfinished, begun 1 min ago"),
        (["", "2027-01-08T08:00:01"], ("ok", ""), "2 uploads in parts unfinished"),
        (["2027-01-15T07:59:00", "2027-01-08T07:59:59"], ("warn", "unfinished"), "2 uploads in parts unfinished"),
        (["2026-01-15T08:00:00"] * 9, ("warn", "unfinished"), "9 or more uploads in parts unfinished"),
        (DENIED, ("skipped", ""), "not shown: get k: 403"),
        (Unsupported("list", "b", "", status=501), ("skipped", ""), "not shown"),
        (DOWN, ("warn", "server-error"), "503"),
    ],
)
def test_uploads_that_nothing_finishes_any_more_are_a_warning(
    begun: list[str] | BulkputError, expected: tuple[str, str], says: str
) -> None:
    """After a week. A younger one may be running."""
    finding = place.unfinished(begun, 0.1, most=9, now_s=NOW_S)
    assert judged(finding) == expected and says in finding.text


def test_checksums_are_told_by_what_the_store_does_with_them() -> None:
    """None is worse than another: the ETag proves the object in any case."""
    found = {"auto": Checked.YES, "md5": Checked.REFUSED, "crc32c": Checked.IGNORED, "sha256": Checked.YES}
    finding = holds.checksums(found, 0.1)
    assert finding.verdict == "ok"
    assert finding.text == "the store checks Content-MD5, sha256; ignores crc32c; refuses md5"
    assert judged(holds.checksums(DOWN, 0.1)) == ("warn", "server-error")


@pytest.mark.parametrize(
    ("seen", "left_s", "expected", "says"),
    [
        (ContainerFacts(False, None), 7200, ("ok", ""), "ends in 2 h, 2033-05-18T03:33:20Z"),
        (ContainerFacts(False, None), 299, ("warn", "signature-ends"), "ends in 4 min 59 s"),
        (Denied("stat", "p", "the store refuses it", status=403), 7200, ("fail", "signature-refused"), "refuses"),
        (DOWN, 7200, ("fail", "server-error"), "503"),
    ],
)
def test_a_temporary_url_is_judged(
    seen: ContainerFacts | BulkputError, left_s: float, expected: tuple[str, str], says: str
) -> None:
    """A refusal fails every upload, 403 as well as 401. The signature is not shown."""
    url = parse("https://h/v1/A/c/p?temp_url_sig=secret&temp_url_expires=2000000000&temp_url_prefix=p")
    finding = place.signature(url, seen, 0.1, now_s=2_000_000_000 - left_s)
    assert judged(finding) == expected and says in finding.text
    assert "secret" not in repr(finding)


@pytest.mark.parametrize(
    ("spaces", "expected", "says"),
    [
        ({"container": Space(objects=5, bytes=5)}, ("ok", ""), "no quota is shown"),
        ({"container": Space(objects=5, bytes=5, most_bytes=100)}, ("ok", ""), "container: 95 B left of 100 B"),
        ({"container": Space(bytes=89, most_bytes=100)}, ("ok", ""), "11 B left"),
        ({"container": Space(bytes=90, most_bytes=100)}, ("warn", "quota-nearly-full"), "10 B left"),
        ({"container": Space(bytes=100, most_bytes=100)}, ("fail", "quota-full"), "0 B left"),
        ({"container": Space(bytes=200, most_bytes=100)}, ("fail", "quota-full"), "0 B left"),
        ({"container": Space(most_bytes=0)}, ("fail", "quota-full"), "0 B left of 0 B"),
        ({"container": Space(objects=7, most_objects=7)}, ("fail", "quota-full"), "container: 0 objects left of 7"),
        (
            {"container": Space(bytes=1, most_bytes=100), "account": Space(bytes=95, most_bytes=100)},
            ("warn", "quota-nearly-full"),
            "container: 99 B left of 100 B; account: 5 B left of 100 B",
        ),
    ],
)
def test_the_fullest_quota_decides(spaces: dict[str, Space], expected: tuple[str, str], says: str) -> None:
    """Nine tenths are a warning."""
    finding = place.quota(spaces, None, 0.1)
    assert judged(finding) == expected and says in finding.text


def test_a_hidden_account_is_told() -> None:
    """Users that only a container lets in see no quota of its account."""
    finding = place.quota({"container": Space()}, DENIED, 0.1)
    assert judged(finding) == ("ok", "") and "the account's is not shown to this user" in finding.text


def test_an_account_that_fails_is_no_hidden_one() -> None:
    """A 503 is told, and a full container is worse."""
    finding = place.quota({"container": Space()}, DOWN, 0.1)
    assert judged(finding) == ("warn", "server-error") and "the account's is not known: " in finding.text
    assert judged(place.quota({"container": Space(most_bytes=0)}, DOWN, 0.1)) == ("fail", "quota-full")


@pytest.mark.parametrize(
    ("said", "limits", "text"),
    [
        ({"swift": {"version": "2.33.0"}, "slo": {}}, Limits(), "Swift 2.33.0: slo"),
        (
            {"swift": {}},
            Limits(max_object_bytes=1024, max_name_bytes=900),
            "Swift: nothing more; objects up to 1.0 KiB;",
        ),
        ({"swift": {"max_object_name_size": 1024}, "tempurl": {}}, Limits(), "Ceph's gateway: tempurl"),
        ({"swift": "odd"}, Limits(), "Swift: nothing more"),
    ],
)
def test_info_is_told_in_one_line(said: dict[str, object], limits: Limits, text: str) -> None:
    """Limits are told if they are not Swift's defaults."""
    finding = place.info(said, limits, 0.1)
    assert finding.verdict == "ok" and finding.text.startswith(text)


@pytest.mark.parametrize(
    ("limit", "room", "expected"),
    [(None, 256, ("ok", "")), (1024, 256, ("ok", "")), (200, 80, ("ok", "")), (100, 30, ("warn", "descriptors"))],
)
def test_too_few_descriptors_for_the_first_requests_are_a_warning(
    limit: int | None, room: int, expected: tuple[str, str]
) -> None:
    """An upload begins with 64."""
    assert judged(place.descriptors(limit, room, begins_with=64, most=256)) == expected


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (holds.put(None, 5, 0.1, proves=True), ("ok", "")),
        (holds.put(DENIED, 5, 0.1, proves=True), ("fail", "forbidden")),
        (holds.get(b"probe", b"probe", 0.1), ("ok", "")),
        (holds.get(b"prob", b"probe", 0.1), ("fail", "integrity")),
        (holds.get(DENIED, b"probe", 0.1), ("warn", "forbidden")),
        (holds.listed(ROW, BODY, 0.1), ("ok", "")),
        (holds.listed(None, BODY, 5.0), ("warn", "listing-lags")),
        (holds.listed(RemoteObject("k", 0, BODY.md5, None, None), BODY, 0.1), ("warn", "listing-wrong")),
        (holds.listed(Unsupported("list", "", ""), BODY, 0.0), ("skipped", "")),
        (holds.listed(DENIED, BODY, 0.1), ("warn", "forbidden")),
        (holds.copied(ROW, BODY, 0.1), ("ok", "")),
        (holds.copied(None, BODY, 0.1), ("warn", "copy-wrong")),
        (holds.copied(Unsupported("copy", "k", "", status=405), BODY, 0.1), ("warn", "unsupported")),
        (holds.in_parts(b"probe", b"probe", 0.1), ("ok", "")),
        (holds.in_parts(b"prob", b"probe", 0.1), ("warn", "parts-wrong")),
        (holds.in_parts(DENIED, b"probe", 0.1), ("warn", "forbidden")),
        (holds.bulk_deleted((), 3, 0.1), ("ok", "")),
        (holds.bulk_deleted((), 0, 0.1), ("skipped", "")),
        (holds.bulk_deleted(("k",), 3, 0.1), ("warn", "delete-wrong")),
        (holds.bulk_deleted(DOWN, 3, 0.1), ("warn", "server-error")),
        (holds.deleted(True, 0.1), ("ok", "")),
        (holds.deleted(False, 0.1), ("warn", "delete-wrong")),
        (holds.deleted(DENIED, 0.1), ("warn", "forbidden")),
    ],
)  # fmt: skip
def test_what_the_probe_has_shown_is_judged(finding: Finding, expected: tuple[str, str]) -> None:
    """Only a PUT, and bytes that come back changed, mean that uploads do not work."""
    assert judged(finding) == expected
    assert bool(finding.advice) == (finding.verdict in ("warn", "fail"))


@pytest.mark.parametrize(
    ("static", "dynamic", "takes_static", "expected", "instead"),
    [
        (b"probe", b"probe", True, "ok", None),
        (b"probe", DOWN, True, "ok", None),
        (DOWN, b"probe", False, "ok", None),
        (None, b"probe", False, "ok", None),
        (DOWN, b"probe", True, "warn", "dlo"),
        (b"other", b"probe", True, "warn", "dlo"),
        (b"probe", DOWN, False, "warn", "slo"),
        (DOWN, DOWN, True, "warn", None),
        (None, DOWN, False, "warn", None),
    ],
)
def test_large_objects_are_judged_by_the_kind_that_uploads_use(
    static: bytes | BulkputError | None,
    dynamic: bytes | BulkputError | None,
    takes_static: bool,
    expected: str,
    instead: str | None,
) -> None:
    """If the other kind works, it is what to set."""
    finding = holds.large(Large(static, dynamic, is_checked=True, takes_static=takes_static), b"probe", 0.1)
    assert finding.verdict == expected
    assert (finding.facts or {}).get("instead") == instead
    if instead:
        assert f"`large.mode='{instead}'`" in finding.advice


@pytest.mark.parametrize(
    ("is_checked", "says"),
    [(True, "reads back (a wrong MD5 is refused);"), (False, "(any MD5 is taken for true)"), (None, "reads back;")],
)
def test_only_a_refusal_that_was_seen_shows_that_manifests_are_checked(is_checked: bool | None, says: str) -> None:
    """A 503 to the wrong one shows nothing."""
    seen = Large(b"probe", b"probe", is_checked=is_checked, takes_static=True)
    assert says in holds.large(seen, b"probe", 0.1).text


def test_the_worst_finding_decides() -> None:
    """0 all well, 1 warnings, 3 failures, 130 interrupted; what is skipped is well."""
    fine, nothing = ok(Step.GET, "x"), skipped(Step.COPY, "x")
    warn, fail = warning(Step.LIST, "c", "x", "y"), failure(Step.PUT, "c", "x", "y")
    codes = [
        Report(url="u", findings=findings).exit_code
        for findings in ((), (fine, nothing), (fine, warn, nothing), (warn, fail, fine))
    ]
    assert codes == [0, 0, 1, 3]
    assert Report(url="u", findings=(fail,), interrupted=True).exit_code == 130
