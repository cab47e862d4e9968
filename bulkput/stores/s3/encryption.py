"""Encryption with the user's own key (SSE-C), which every request about such an object carries.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
"""

import binascii
import hashlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from bulkput.errors import UsageError

VARIABLE = "BULKPUT_S3_SSE_C_KEY"
_PREFIX = "x-amz-server-side-encryption-customer-"
_OF_SOURCE = "x-amz-copy-source-server-side-encryption-customer-"


def customer_key(environ: Mapping[str, str]) -> dict[str, str]:
    """The fields for the key in the environment; empty if there is none. Raises UsageError if it is no key."""
    given = environ.get(VARIABLE)
    if not given:
        return {}
    try:
        key = b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise UsageError(f"{VARIABLE} is no key for SSE-C: it is 32 random bytes, written in Base64")
    md5 = hashlib.md5(key, usedforsecurity=False).digest()
    return {
        f"{_PREFIX}algorithm": "AES256",
        f"{_PREFIX}key": b64encode(key).decode(),
        f"{_PREFIX}key-MD5": b64encode(md5).decode(),
    }


def refuse_in_clear(fields: Iterable[str], url: str) -> None:
    """Raises UsageError if one of these fields is such a key, and the URL would have it sent in clear text to another
    machine: who reads it on the way can read every object. botocore refuses http:// altogether."""
    place = urlsplit(url)
    if place.scheme == "https" or not any(name.lower() == f"{_PREFIX}key" for name in fields):
        return
    host = place.hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return
    with suppress(ValueError):
        if ip_address(host).is_loopback:
            return
    raise UsageError(
        f"the key of {VARIABLE} (SSE-C) would be sent in clear text to {host}, and everybody on the way could read it:"
        " write https:// in AWS_ENDPOINT_URL"
    )


def of_source(fields: Mapping[str, str]) -> dict[str, str]:
    """The same fields for the source of a copy."""
    return {name.replace(_PREFIX, _OF_SOURCE): value for name, value in fields.items()}
