"""Decides whether a word can be the name of a bucket, before the first request.

| the name                                                  | at Amazon            | at another endpoint              |
|-----------------------------------------------------------|----------------------|----------------------------------|
| `@`                                                       | refused: keys do not belong into a URL; not repeated    |
| `arn:...`                                                 | refused: an alias does it                               |
| `:`, an IP address                                        | refused: a server belongs into AWS_ENDPOINT_URL         |
| space, `\\`, `?`, `#`, `%`, no ASCII, shorter than 3       | refused              | refused                          |
| capitals, `_`, other characters                           | refused              | taken: Ceph has them if it is    |
|                                                           |                      | told so, Swift's s3api as well   |
| longer than 63; `..`; begins or ends otherwise than with  | refused              | taken, up to 255                 |
| a letter or a digit                                       |                      |                                  |

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
_MOST = 255
_WRITE = "write s3://BUCKET[/PREFIX]"


def wrong_bucket(name: str, rules: Rules) -> str | None:
    """What is wrong with the name, as a sentence that says what to do; None if a store may have it."""
    if "@" in name:  # what stands before it may be a secret
        return f"a name of a bucket has no @, and a URL no keys: {_WRITE}, with keys in variables"
    if name.startswith("arn:"):
        return f"{name!r} is the beginning of an ARN: {_WRITE}, where the alias of an access point is a name as well"
    if ":" in name or _is_address(name):
        return f"{name!r} is a server and no name of a bucket: {_WRITE}, and the server into AWS_ENDPOINT_URL"
    if _STRANGE.search(name) is None and 3 <= len(name) <= _MOST:
        if rules == "other" or _AMAZONS.fullmatch(name):
            return None
        more = f"; {_OLD}" if len(name) > 63 or re.search("[A-Z_]", name) else ""
        return f"{name!r} is no name of a bucket at Amazon: 3 to 63 small letters, digits, hyphens and dots{more}"
    return f"{name!r} is no name of a bucket: 3 to 63 small letters, digits, hyphens and dots; {_WRITE}"


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


_OLD = "one of before 2018 is taken with addressing_style = path in the s3 section of the profile"
