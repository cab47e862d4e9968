"""A line of an S3 server access log (LogFormat.html in Amazon's user guide), and of Ceph's bucket logging.

    owner bucket [06/Feb/2019:00:00:38 +0000] IP requester request-id operation key "request" status error
    bytes size total-time turn-around-time "referrer" "agent" version host-id signature cipher authentication host TLS
    access-point ACL ...

`-` stands for every empty field, and then has no quotes. Amazon may add fields at the end. Nothing escapes a quote
within quotes, so the request ends at the first quote that a status follows. Ceph does not encode the key, which may
therefore have spaces, and does not quote the agent. `s3_columns` reads whole blocks of regular lines, with the same
result.
"""

import re

from bulkput.logs.combined import date_and_hour, method_and_path
from bulkput.logs.paths import NOTHING, ObjectPath, decoded_once, without_query
from bulkput.logs.record import Record, size_of

_STATUS = r"(?:\d{3}|-) "
_LINE = re.compile(
    r"[^ ]+ ([^ ]+) (\[[^ ]{20} [^ ]{5}\]) ([^ ]+) [^ ]+ [^ ]+ "
    rf'([^ ]+ [^ ]+(?: (?!"|- {_STATUS})[^ ]*)* (?:-|"[^"]*(?:"(?! {_STATUS})[^"]*)*")) '
    r'(\d{3}|-) [^ ]+ (\d+|-) [^ ]+ [^ ]+ [^ ]+ (?:-|"([^"]*(?:"(?! )[^"]*)*)") (.+)',
    re.A | re.S,
)
"""No two parts can take the same text, so the time is linear."""
_REQUEST = re.compile(rf'([^ ]+) ([^ ]+(?: (?!"|- {_STATUS})[^ ]*)*) (?:-|"(.*?)"?)', re.A | re.S)
_AFTER_AGENT = 9
"""Fields that Ceph writes after the agent, none of them with a space."""
_ENCODED_ONCE = ("S3.", "BATCH.")


def parse_line(line: str) -> Record | None:
    """Read a line; None: it is in another format."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    bucket, when, ip, request, status, text, referrer, rest = match.groups(NOTHING)
    time, size = date_and_hour(when), size_of(text)
    if time is None or size is None:
        return None
    method, path, place = request_and_place(request, bucket)
    return Record(ip, *time, method, path, status, size, referrer, _agent(rest), place)


def request_and_place(text: str, bucket: str) -> tuple[str, str, ObjectPath]:
    """`REST.GET.OBJECT a.txt "GET /a.txt?b HTTP/1.1"` -> GET, /a.txt, and the place in the bucket.

    The last quote may be missing: `s3_columns` has it no more.
    """
    match = _REQUEST.fullmatch(text)
    if match is None:
        raise ValueError(f"not from an S3 log: {text}")
    operation, key, request = match.groups(NOTHING)
    method, path = method_and_path(request)
    return method, path, ObjectPath(bucket, object_of(key, bucket, operation, path))


def object_of(key: str, bucket: str, operation: str, path: str) -> str:
    """Return the object that a key means. How often a key is URL-encoded depends on who wrote it; the path of the
    request, which is encoded once, shows it.

    | operation         | key         | path          | is the object | because                                       |
    |-------------------|-------------|---------------|---------------|-----------------------------------------------|
    | `REST.GET.OBJECT` | `a/b.txt`   | `/c/a/b.txt`  | `a/b.txt`     | nothing is encoded                            |
    | `REST.GET.OBJECT` | `a%2520b`   | `/a%20b`      | `a b`         | Amazon encodes it twice (virtual-host style)  |
    | `REST.GET.OBJECT` | `a%2520b`   | `/c/a%20b`    | `a b`         | the same, in path style                       |
    | `REST.GET.OBJECT` | `a%2520b`   | `/a%2520b`    | `a%20b`       | others encode it once                         |
    | `REST.GET.OBJECT` | `a%20b`     | `/c/a%2520b`  | `a%20b`       | Ceph does not encode it                       |
    | `REST.COPY.OBJECT_GET` | `a%2520b` | `-`        | `a b`         | no path: Amazon encodes most of them twice    |
    | `S3.EXPIRE.OBJECT` | `a%2520b`  | `-`           | `a%20b`       | what S3 does by itself is encoded once        |
    | `BATCH.DELETE.OBJECT` | `a%20b` | `/?delete`    | `a b`         | so are the objects of one DeleteObjects       |
    | `REST.GET.BUCKET` | `-`         | `/c`          | `-`           | no object                                     |
    """
    if "%" not in key:
        return key
    once = decoded_once(key)
    twice = decoded_once(once)
    asked = decoded_once(without_query(path))
    for candidate in (twice, once, key):
        if asked in (f"/{candidate}", f"/{bucket}/{candidate}"):
            return candidate
    return once if operation.startswith(_ENCODED_ONCE) else twice


def _agent(rest: str) -> str:
    """The agent from the rest of the line, which begins with it."""
    if rest.startswith('"'):
        end = rest.rindex('"')
        return rest[1 : end or len(rest)]
    return NOTHING if rest.startswith("- ") else rest.rsplit(" ", _AFTER_AGENT)[0]
