"""Decides whether a word can be the name of a bucket, before the first request.

| the name                                                  | at Amazon            | at another endpoint              |
|-----------------------------------------------------------|----------------------|----------------------------------|
| `@`; `:` where the path has an `@` (`has_keys`)           | refused: keys do not belong into a URL                  |
| `arn:...`                                                 | refused: an alias does it                               |
| `HOST:PORT`, an IP address                                | refused: a server belongs into AWS_ENDPOINT_URL         |
| `TENANT:BUCKET`                                           | refused              | taken: another tenant's at Ceph  |
| other names with `:`                                      | refused              | refused                          |
| space, `\\`, `?`, `#`, `%`, no ASCII, shorter than 3       | refused              | refused                          |
| capitals, `_`, other characters                           | refused              | taken: Ceph has them if it is    |
|                                                           |                      | told so, Swift's s3api as well   |
| longer than 63; `..`; begins or ends otherwise than with  | refused              | taken, up to 255                 |
| a letter or a digit                                       |                      |                                  |

A name with `:` may be an access key and a secret up to its first slash: about half of all secrets have one. No text
repeats such a name, unless it is an address or has a port behind the `:`.

Until 2018 Amazon made buckets with other names in us-east-1 (capitals, `_`, up to 255 characters), which are reached by
the path alone: `addressing_style = path` takes them.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
"""

import re
from ipaddress import ip_address
from typing import Literal

Rules = Literal["amazon", "other"]
"""`other`: of another store, or of Amazon before 2018."""

_AMAZONS = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_STRANGE = re.compile(r"[^!-~]|[\\?#%]")
_SERVER = re.compile(r"[^:]+:[0-9]{1,5}|\[[0-9a-fA-F:.]+\](?::[0-9]{1,5})?")
_MOST = 255
_WRITE = "write s3://BUCKET[/PREFIX]"


def has_keys(rest: str) -> bool:
    """Whether what follows `s3://` may begin with an access key and a secret: such text must not be shown.

    >>> has_keys("AKIA:secret@bucket"), has_keys("AKIA:sec/ret@bucket/x"), has_keys("tenant:bucket"), has_keys("b/a@b")
    (True, True, False, False)
    """
    name, _, path = rest.partition("/")
    return "@" in name or (":" in name and "@" in path)


def wrong_bucket(name: str, rules: Rules) -> str | None:
    """What is wrong with the name, as a sentence that says what to do; None if a store may have it."""
    if has_keys(name):
        return KEYS
    if name.startswith("arn:"):
        return f"an ARN is no name of a bucket: {_WRITE}, where the alias of an access point is a name as well"
    if _SERVER.fullmatch(name) or _is_address(name):
        return f"{name!r} is a server and no name of a bucket: {_WRITE}, and the server into AWS_ENDPOINT_URL"
    tenant, colon, bucket = name.rpartition(":")
    if colon and (rules == "amazon" or not tenant or ":" in tenant):
        return _AT_AMAZON if rules == "amazon" else _COLONS
    if _STRANGE.search(name) is None and len(bucket) >= 3 and len(name) <= _MOST:
        if rules == "other" or _AMAZONS.fullmatch(name):
            return None
        more = f"; {_OLD}" if len(name) > 63 or re.search("[A-Z_]", name) else ""
        return f"{name!r} is no name of a bucket at Amazon: {_RULE}{more}"
    shown = "this" if colon else repr(name)
    return f"{shown} is no name of a bucket: {_RULE}; {_WRITE}"


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


KEYS = f"keys do not belong into a URL, and a name of a bucket has no @: {_WRITE}, and the keys into variables"
"""What to say of a URL that `has_keys`."""
_RULE = "3 to 63 small letters, digits, hyphens and dots"
_COLON = "a name with a colon, which is not repeated here since it may hold keys, is no name of a bucket"
_AT_AMAZON = f"{_COLON} at Amazon: {_WRITE}; AWS_ENDPOINT_URL names another S3"
_COLONS = f"{_COLON}: {_WRITE}, or s3://TENANT:BUCKET for the bucket of another tenant of Ceph's"
_OLD = (
    "if the bucket was made before 2018, write addressing_style = path into the s3 section of a profile in"
    " ~/.aws/config; bulkput reads that file after pip install 'bulkput[s3]'"
)
