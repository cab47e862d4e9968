"""Header fields that users give by their names in S3: which of them S3 knows, and which a refusal may be about.

| the field                                               | then                                                       |
|---------------------------------------------------------|------------------------------------------------------------|
| X-Delete-At, X-Delete-After, X-Object-Meta-...          | refused: they are Swift's, and S3 has no such, or another  |
| Content-MD5, fields of the signature, x-amz-copy-source | refused: bulkput sets them                                 |
| x-amz-..., and S3 does not know it                      | a warning: stores ignore it in silence                     |
| Cache-Control, Content-..., Expires, x-amz-...          | S3 stores it, or does what it says                         |
| x-goog-..., x-rgw-..., x-minio-...                      | another store's own                                        |
| any other                                               | a warning: S3 does not store it                            |
"""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from bulkput.errors import StoreError, UsageError
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
NO_EXPIRY = "S3 keeps no expiry of an object: {given}; in S3 a lifecycle rule of the bucket removes what is old"
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


_OURS = frozenset(
    ("authorization", "content-md5", "x-amz-content-sha256", "x-amz-copy-source", "x-amz-date", "x-amz-security-token")
)
"""What a request says of its bytes and its signature, and what makes a copy of a PUT."""
_SWIFTS_META = "x-object-meta-"
_EXPIRY = ("x-delete-after", "x-delete-at")
_TAKEN = frozenset(
    (
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
        "if-match",
        "if-none-match",
        "user-agent",
    )
)
"""Fields of HTTP that S3 stores, those that a PUT obeys, and the one that is for the server's log."""
_OTHERS = ("x-goog-", "x-minio-", "x-rgw-")
"""How the own fields of stores begin that speak S3's protocol."""
_FILENAME = re.compile(r"""filename\s*=\s*(?:"([^"]*)"|([^\s;"]+))""", re.IGNORECASE)


def check_given(extra: Fields) -> None:
    """Raises UsageError for a field that says to S3 what it would not do, or what bulkput itself says.

    >>> check_given((("X-Object-Meta-A", "b"),))
    Traceback (most recent call last):
    bulkput.errors.UsageError: `headers.extra` X-Object-Meta-A is Swift's: in S3 use `headers.meta` or x-amz-meta-a
    """
    for name, _ in extra:
        small = name.lower()
        if small in _OURS or small.startswith("x-amz-copy-source-"):
            raise UsageError(f"`headers.extra`: {name} is set by bulkput itself")
        if small in _EXPIRY:
            raise UsageError(NO_EXPIRY.format(given=f"`headers.extra` {name} needs swift://"))
        if small.startswith(_SWIFTS_META):
            own = _META + small.removeprefix(_SWIFTS_META)
            raise UsageError(f"`headers.extra` {name} is Swift's: in S3 use `headers.meta` or {own}")


def warnings_of(extra: Fields) -> list[str]:
    """What is told before the run, of fields that S3 takes otherwise than they were meant."""
    lost = [name for name, _ in extra if not (name.lower() in _TAKEN or name.lower().startswith((_AMAZONS, *_OTHERS)))]
    told = why_unknown(extra)
    if lost:
        told.append(
            f"S3 does not store {', '.join(lost)} (`headers.extra`): a field of your own is metadata, `headers.meta`"
        )
    disposition = given(extra, "content-disposition") or ""
    if not disposition.isascii():
        told.append(
            "Content-Disposition (`headers.extra`) is not ASCII: it is sent as UTF-8, of which some programs make other"
            f" letters; all of them read {ascii_filename(disposition)}"
        )
    return told


def ascii_filename(disposition: str) -> str:
    """The name of the file as RFC 6266 has it in a Content-Disposition for names that are not ASCII.

    >>> ascii_filename('attachment; filename="ü.py"')
    "filename*=UTF-8''%C3%BC.py"
    """
    found = _FILENAME.search(disposition)
    return f"filename*=UTF-8''{quote(found[1] or found[2] or '', safe='') if found is not None else '...'}"


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
