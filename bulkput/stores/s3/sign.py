"""Signs requests to S3: AWS Signature Version 4, in the header `Authorization`.

    day key   = HMAC(HMAC(HMAC(HMAC("AWS4" + secret, day), region), service), "aws4_request")
    signature = HMAC(day key, "AWS4-HMAC-SHA256" / time / scope / SHA-256(canonical request))

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. All fields that the caller gives are
signed, `Host` and those of the signature too; the transport adds others (User-Agent, Content-Length, Expect), which are
not. S3 encodes a path once, as it is sent (other services of AWS do so twice). Spaces at the ends of a field's value
are not signed, and several in a row are signed as one. botocore takes tabs and spaces of other scripts for spaces, too,
and Ceph's gateway does not: where that matters, `wire_format.py` encodes the value.

This runs for every object, so what does not change is kept: the key of the day, the text of the second, and for each
set of field names their order. botocore needs several times as long (`scripts/bench sign`).
"""

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import NamedTuple

EMPTY_SHA256 = hashlib.sha256().hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
"""In place of the SHA-256 of a body that TLS protects."""
_MOST_ORDERS = 256
"""Sets of field names that are remembered. A run has a few."""


class _KeysFields(NamedTuple):
    access_key: str
    secret: str
    token: str | None = None


class Keys(_KeysFields):
    """An access key with its secret, and its token if it is temporary. The repr shows neither.

    A named tuple, since each request looks up its signer by its keys."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Keys({self.access_key!r})"


class Signer:
    """Signs requests with one pair of keys, for one region."""

    __slots__ = ("_day", "_day_key", "_orders", "_region", "_scope", "_second", "_service", "_time", "keys")

    def __init__(self, keys: Keys, region: str, service: str = "s3") -> None:
        self.keys = keys
        self._region, self._service = region, service
        self._second = -1
        self._time = self._day = self._scope = ""
        self._day_key = b""
        self._orders: dict[tuple[str, ...], tuple[tuple[str, ...], str, str]] = {}

    def signed(
        self,
        request: tuple[str, str, str, str],
        fields: Mapping[str, str],
        payload: str,
        now_s: float,
    ) -> dict[str, str]:
        """`fields` with those of the signature. `request` is (method, host, path, query): path and query are encoded
        as they are sent, the query sorted by its names. `payload` is the SHA-256 of the body in hex, or UNSIGNED.
        """
        second = int(now_s)
        if second != self._second:
            self._begin(second)
        method, host, path, query = request
        result = {"Host": host, **fields, "X-Amz-Content-SHA256": payload, "X-Amz-Date": self._time}
        if self.keys.token is not None:
            result["X-Amz-Security-Token"] = self.keys.token
        names = tuple(result)
        order, template, signed = self._orders.get(names) or self._ordered(names)
        lines = template % tuple([_trimmed(result[name]) for name in order])
        canonical = f"{method}\n{path}\n{query}\n{lines}\n{signed}\n{payload}"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self._time}\n{self._scope}\n{digest}"
        signature = hmac.digest(self._day_key, text.encode(), "sha256").hex()
        del result["Host"]  # the transport sends it
        result["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.keys.access_key}/{self._scope}, SignedHeaders={signed},"
            f" Signature={signature}"
        )
        return result

    def _begin(self, second: int) -> None:
        """A new second, and perhaps a new day."""
        self._second = second
        self._time = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        day = self._time[:8]
        if day != self._day:
            self._day = day
            self._scope = f"{day}/{self._region}/{self._service}/aws4_request"
            key = f"AWS4{self.keys.secret}".encode()
            for part in self._scope.split("/"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._day_key = key

    def _ordered(self, names: tuple[str, ...]) -> tuple[tuple[str, ...], str, str]:
        """The names in the order of their signing; a template of their lines; the list of signed names."""
        order = tuple(sorted(names, key=str.lower))
        low = [name.lower() for name in order]
        found = order, "".join([f"{name}:%s\n" for name in low]), ";".join(low)
        if len(self._orders) < _MOST_ORDERS:
            self._orders[names] = found
        return found


def _trimmed(value: str) -> str:
    value = value.strip(" \t")
    return value if "  " not in value else " ".join(filter(None, value.split(" ")))
