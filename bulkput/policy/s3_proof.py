"""Decides what the answer to a PUT to S3 proves. The first line that fits:

| the answer                                                        | proves                                          |
|-------------------------------------------------------------------|-------------------------------------------------|
| has the MD5 that was sent as its ETag                             | the bytes                                       |
| returns the checksum that was sent, and its ETag need be no MD5   | the bytes                                       |
| has an ETag that need be no MD5; the request had Content-MD5 or a | that the store has checked them                 |
| signature over its bytes                                          |                                                 |
| has an ETag that need be no MD5                                   | nothing: the bytes are stored, and unproven     |
| has another ETag, or none                                         | that other bytes are stored, or nothing         |

An ETag need be no MD5 where the object is encrypted with keys of KMS or of the customer, and in directory buckets
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html). The first line holds there as well: no other bytes
have that ETag by accident.
"""

from enum import Enum, auto

from bulkput.policy.etag import md5_of


class Proves(Enum):
    """What an answer proves."""

    BYTES = auto()
    CHECKED = auto()
    NOTHING = auto()
    OTHERS = auto()


def proves(
    etag: str | None, md5: str, *, is_opaque: bool, sent: str | None, returned: str | None, is_checked: bool
) -> Proves:
    """Apply the table above. `sent` and `returned` are the checksum in Base64, None if there is none."""
    if md5_of(etag) == md5:
        return Proves.BYTES
    if not is_opaque:
        return Proves.OTHERS
    if sent is not None and returned is not None:
        return Proves.BYTES if sent == returned else Proves.OTHERS
    return Proves.CHECKED if is_checked else Proves.NOTHING
