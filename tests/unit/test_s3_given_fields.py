"""Header fields and tags that users give by their names in S3: botocore's model of S3 is the judge."""

from urllib.parse import quote, urlencode
from xml.etree import ElementTree

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import StoreError, UsageError
from bulkput.model import ObjectHeaders
from bulkput.stores.s3.given_fields import KNOWN, blame, check_given, gives_acl, warnings_of, why_unknown
from bulkput.stores.s3.given_fields import given as value_of
from bulkput.stores.s3.tags import document_of
from bulkput.stores.s3.wire_format import is_owners

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00\ufffe\uffff", exclude_categories=("Cc", "Cs")))


def fields_of(operation: str) -> set[str]:
    """The fields of an operation as botocore knows them."""
    shape = botocore.session.get_session().get_service_model("s3").operation_model(operation).input_shape
    names = (member.serialization.get("name", "") for member in shape.members.values())
    return {name.lower() for name in names if name.lower().startswith("x-amz-") and name != "x-amz-meta-"}


def test_the_table_has_each_field_of_a_put_and_no_field_that_s3_does_not_know() -> None:
    """Those that say what is copied are bulkput's own."""
    sent = fields_of("PutObject") | fields_of("CreateMultipartUpload")
    copied = {name for name in fields_of("CopyObject") if not name.startswith("x-amz-copy-source")}
    assert sent | copied == KNOWN


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x-amz-storage-class", None),
        ("X-Amz-ACL", None),
        ("x-amz-meta-anything", None),
        ("Cache-Control", None),
        ("x-goog-acl", None),
        ("x-amz-stroage-class", "did you mean x-amz-storage-class?"),
        ("X-Amz-Tags", "S3 knows no field X-Amz-Tags, and ignores it (`headers.extra`)"),
        ("x-amz-", "S3 knows no field x-amz-"),
    ],
)
def test_a_field_that_s3_does_not_know_is_told(name: str, said: str | None) -> None:
    """Only in Amazon's namespace, whatever the case. S3 would ignore it in silence."""
    found = why_unknown(((name, "value"),))
    assert len(found) == (said is not None)
    assert said is None or said in found[0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "X-Delete-After",
            "S3 keeps no expiry of an object: `headers.extra` X-Delete-After needs swift://; in S3 a life",
        ),
        ("x-delete-at", "S3 keeps no expiry of an object: `headers.extra` x-delete-at needs swift://"),
        ("X-Object-Meta-Color", "X-Object-Meta-Color is Swift's: in S3 use `headers.meta` or x-amz-meta-color"),
        ("Content-MD5", "`headers.extra`: Content-MD5 is set by bulkput itself"),
        ("authorization", "authorization is set by bulkput itself"),
        ("X-Amz-Date", "X-Amz-Date is set by bulkput itself"),
        ("x-amz-content-sha256", "x-amz-content-sha256 is set by bulkput itself"),
        ("x-amz-security-token", "x-amz-security-token is set by bulkput itself"),
        ("x-amz-copy-source", "x-amz-copy-source is set by bulkput itself"),
        ("x-amz-copy-source-range", "x-amz-copy-source-range is set by bulkput itself"),
    ],
)
def test_a_field_that_s3_cannot_be_given_is_refused(name: str, said: str) -> None:
    """Swift's, and those by which bulkput says what a request is."""
    with pytest.raises(UsageError) as refused:
        check_given((("Expires", "x"), (name, "1")))
    assert said in str(refused.value)


@given(st.lists(st.tuples(st.sampled_from(sorted(KNOWN)), st.just("x"))))
def test_fields_of_a_put_are_neither_refused_nor_warned_of(extra: list[tuple[str, str]]) -> None:
    """In capitals, too."""
    fields = (*extra, *((name.upper(), value) for name, value in extra), ("x-amz-meta-a", "b"), ("Cache-Control", "c"))
    check_given(fields)
    assert warnings_of(fields) == []


def test_fields_that_s3_does_not_store_are_told_in_one_sentence() -> None:
    """Not those of HTTP that it stores or obeys, and not those of other stores."""
    taken = ("Content-Disposition", "Expires", "If-None-Match", "User-Agent", "x-goog-acl", "x-rgw-a", "x-amz-acl")
    assert warnings_of(tuple((name, "x") for name in ("Foo", *taken, "X-Robots-Tag"))) == [
        "S3 does not store Foo, X-Robots-Tag (`headers.extra`): a field of your own is metadata, `headers.meta`"
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('attachment; filename="ü.py"', "filename*=UTF-8''%C3%BC.py"),
        ("attachment; FileName = ü/x.py; a=b", "filename*=UTF-8''%C3%BC%2Fx.py"),
        ("ü", "filename*=UTF-8''..."),
        ("attachment; filename=\"u.py\"; filename*=UTF-8''%C3%BC.py", None),
    ],
)
def test_a_disposition_that_is_not_ascii_is_told_how_to_be(value: str, said: str | None) -> None:
    """With the file's name as it has to be written."""
    told = warnings_of((("content-disposition", value),))
    assert len(told) == (said is not None)
    assert said is None or told[0].endswith(f"all of them read {said}")


@pytest.mark.parametrize(
    ("code", "headers", "named"),
    [
        ("InvalidArgument", ObjectHeaders(extra=(("x-amz-acl", "no"),)), "x-amz-acl"),
        ("InvalidRequest", ObjectHeaders(extra=(("X-Amz-A", ""), ("x-amz-b", ""))), "X-Amz-A, x-amz-b"),
        ("InvalidStorageClass", ObjectHeaders(storage_class="GOLD"), "x-amz-storage-class"),
        ("InvalidArgument", ObjectHeaders(extra=(("Expires", "x"), ("x-amz-meta-a", "b"))), ""),
        ("InvalidArgument", ObjectHeaders(), ""),
        ("AccessDenied", ObjectHeaders(extra=(("x-amz-acl", "no"),)), ""),
        ("", ObjectHeaders(extra=(("x-amz-acl", "no"),)), ""),
    ],
)  # fmt: skip
def test_a_refusal_that_a_field_may_cause_names_those_that_were_given(
    code: str, headers: ObjectHeaders, named: str
) -> None:
    """Metadata is not among them, and other refusals have other causes."""
    error = StoreError("put", "key", "refused", status=400)
    error.code = code
    blame(error, headers)
    because = f"; the cause may be what was given: {named} (`headers.extra`, `rules`)" if named else ""
    assert error.detail == f"refused{because}"


@pytest.mark.parametrize(
    ("name", "is_acl"),
    [("x-amz-acl", True), ("X-Amz-Grant-Read", True), ("x-amz-meta-acl", False), ("Cache-Control", False)],
)
def test_an_acl_is_given_by_its_name_or_by_grants(name: str, is_acl: bool) -> None:
    """In capitals, too."""
    assert gives_acl((("Expires", "x"), (name, "y"))) is is_acl


def test_a_field_is_found_by_its_name_in_any_case() -> None:
    """Users write it as they like."""
    assert value_of({"X-Amz-Tagging": "a=b", "Expires": "x"}, "x-amz-tagging") == "a=b"
    assert value_of((("Expires", "x"),), "x-amz-tagging") is None


@given(st.lists(st.tuples(TEXT.filter(bool), TEXT)))
def test_any_tags_come_out_of_the_document_as_they_were_written(tags: list[tuple[str, str]]) -> None:
    """Written as a query, with %20 for a space or with a plus."""
    for field in (urlencode(tags), urlencode(tags, quote_via=quote)):
        root = ElementTree.fromstring(document_of(field))
        space = "{http://s3.amazonaws.com/doc/2006-03-01/}"
        rows = [(row.findtext(f"{space}Key"), row.findtext(f"{space}Value") or "") for row in root.iter(f"{space}Tag")]
        assert rows == tags


def test_an_acl_of_another_protocol_is_not_read() -> None:
    """Google's has entries, which are no grants."""
    assert not is_owners(b"<AccessControlList><Owner><ID>me</ID></Owner><Entries/></AccessControlList>")


GRANT = "<Grant><Grantee xsi:type='x' xmlns:xsi='http://i'>{}</Grantee><Permission>READ</Permission></Grant>"
OWNERS = GRANT.format("<ID>me</ID>")


@pytest.mark.parametrize(
    ("owner", "grants", "is_so"),
    [
        ("<Owner><ID>me</ID></Owner>", OWNERS, True),
        ("<Owner><ID>me</ID></Owner>", "", True),
        ("<Owner><ID>me</ID></Owner>", OWNERS + GRANT.format("<URI>http://acs/groups/global/AllUsers</URI>"), False),
        ("<Owner><ID>me</ID></Owner>", GRANT.format("<ID>you</ID>"), False),
        ("<Owner/>", OWNERS, False),
        ("", "", False),
    ],
)
def test_an_acl_is_its_owners_if_it_grants_nothing_to_others(owner: str, grants: str, is_so: bool) -> None:
    """Nor to an owner that the answer does not name."""
    acl = f"<AccessControlPolicy xmlns='http://s3/'>{owner}<AccessControlList>{grants}</AccessControlList>"
    assert is_owners(f"{acl}</AccessControlPolicy>".encode()) is is_so
