"""Header fields that users give by their names in S3: which of them S3 knows, and which a refusal may be about."""

from collections.abc import Iterable, Mapping

from bulkput.errors import StoreError
from bulkput.model import Fields, ObjectHeaders
from bulkput.policy.nearest import did_you_mean

_AMAZONS = "x-amz-"
_META = "x-amz-meta-"
KNOWN = frozenset(
    f"x-amz-{name}"
    for name in (
        "acl",
        "checksum-algorithm",
        "checksum-crc32",
        "checksum-crc32c",
        "checksum-crc64nvme",
        "checksum-md5",
        "checksum-sha1",
        "checksum-sha256",
        "checksum-sha512",
        "checksum-type",
        "checksum-xxhash128",
        "checksum-xxhash3",
        "checksum-xxhash64",
        "expected-bucket-owner",
        "grant-full-control",
        "grant-read",
        "grant-read-acp",
        "grant-write-acp",
        "metadata-directive",
        "object-annotation-directive",
        "object-lock-event-hold",
        "object-lock-event-hold-duration-days",
        "object-lock-event-hold-duration-years",
        "object-lock-legal-hold",
        "object-lock-mode",
        "object-lock-retain-until-date",
        "request-payer",
        "sdk-checksum-algorithm",
        "server-side-encryption",
        "server-side-encryption-aws-kms-key-id",
        "server-side-encryption-bucket-key-enabled",
        "server-side-encryption-context",
        "server-side-encryption-customer-algorithm",
        "server-side-encryption-customer-key",
        "server-side-encryption-customer-key-md5",
        "source-expected-bucket-owner",
        "storage-class",
        "tagging",
        "tagging-directive",
        "website-redirect-location",
        "write-offset-bytes",
    )
)
"""The fields of PutObject and CreateMultipartUpload, and those of CopyObject that do not say what is copied
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html, API_CreateMultipartUpload.html,
API_CopyObject.html)."""
_BLAMING = frozenset(
    (
        "AccessControlListNotSupported",
        "InvalidArgument",
        "InvalidRequest",
        "InvalidStorageClass",
        "InvalidTag",
        "NotImplemented",
    )
)
"""Codes of refusals that a field may cause. Ceph's gateway says no more than the code."""


def why_unknown(extra: Fields) -> list[str]:
    """A sentence for each field of Amazon's namespace that S3 does not know. Stores ignore them in silence.

    >>> why_unknown((("X-Amz-Stroage-Class", "GLACIER"), ("x-amz-meta-color", "red"), ("x-rgw-color", "red")))
    ['S3 knows no field X-Amz-Stroage-Class, and ignores it (`headers.extra`): did you mean x-amz-storage-class?']
    """
    unknown = [name for name, _ in extra if _is_amazons(name) and name.lower() not in KNOWN]
    return [
        f"S3 knows no field {name}, and ignores it (`headers.extra`){did_you_mean(name, sorted(KNOWN))}"
        for name in unknown
    ]


def blame(error: StoreError, headers: ObjectHeaders) -> None:
    """Let the error name the fields that the user gave, if one of them may be its cause."""
    names = [name for name, _ in headers.extra if _is_amazons(name)]
    if headers.storage_class is not None:
        names.append("x-amz-storage-class")
    if error.code in _BLAMING and names:
        error.detail += f"; the cause may be what was given: {', '.join(names)} (`headers.extra`, `rules`)"


def gives_acl(extra: Fields) -> bool:
    """Whether the fields say who may read the object."""
    return any(name.lower().startswith(("x-amz-acl", "x-amz-grant-")) for name, _ in extra)


def given(fields: Iterable[tuple[str, str]] | Mapping[str, str], name: str) -> str | None:
    """The value of a field whose name may be written in capitals."""
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    return next((value for each, value in pairs if each.lower() == name), None)


def _is_amazons(name: str) -> bool:
    return name.lower().startswith(_AMAZONS) and not name.lower().startswith(_META)
