"""What an S3 does with requests and objects: probes of the table in docs/s3-servers.md."""

import http.client
from collections.abc import Callable
from functools import partial

from tests.contract.s3wire import UNSIGNED, Bucket, By, checksum, content_md5, trickled, waiting

HELLO, WORLD = b"hello", b"world"


def yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def put(bucket: Bucket, key: str = "o", *, by: By | None = None, then: str = "", **fields: str) -> str:
    """What a PUT is told."""
    return bucket.ask("PUT", key, "", HELLO, by=by, **fields).said + then


# --- signatures


def wrong_key(bucket: Bucket) -> str:
    return put(bucket, by=By(secret_key="wrong"))


def unknown_user(bucket: Bucket) -> str:
    return put(bucket, by=By(access_key="unknown"))


def late(bucket: Bucket, seconds: int) -> str:
    return put(bucket, by=By(clock_s=seconds))


def unsigned(bucket: Bucket) -> str:
    return put(bucket, by=By(payload=UNSIGNED))


def other_body(bucket: Bucket) -> str:
    return put(bucket, by=By(payload=b"".hex().ljust(64, "0")))


def anonymous(bucket: Bucket) -> str:
    connection = http.client.HTTPConnection(*bucket.server.address, timeout=30)
    try:
        connection.request("PUT", f"/{bucket.name}/o", HELLO)
        return str(connection.getresponse().status)
    finally:
        connection.close()


# --- PUT


def if_none_match(bucket: Bucket) -> str:
    bucket.put("o")
    said = put(bucket, If_None_Match="*")
    assert put(bucket, "new", If_None_Match="*") in ("200", said), "the condition alone is refused"
    return said


def if_match(bucket: Bucket) -> str:
    bucket.put("o")
    return put(bucket, If_Match='"00000000000000000000000000000000"')


def wrong_md5(bucket: Bucket) -> str:
    return put(bucket, Content_MD5=content_md5(WORLD))


def bad_md5(bucket: Bucket) -> str:
    return put(bucket, Content_MD5="none")


def right_checksum(bucket: Bucket, algorithm: str) -> str:
    field, right = f"x-amz-checksum-{algorithm}", checksum(algorithm, HELLO)
    answer = bucket.ask("PUT", "o", "", HELLO, **{field: right, "x-amz-sdk-checksum-algorithm": algorithm.upper()})
    head = bucket.ask("HEAD", "o", x_amz_checksum_mode="ENABLED")
    told = [name for name, each in (("the answer", answer), ("HEAD", head)) if each[field] == right]
    return answer.said + (f", told by {' and '.join(told)}" if told else "")


def wrong_checksum(bucket: Bucket, algorithm: str) -> str:
    return put(bucket, **{f"x-amz-checksum-{algorithm}": checksum(algorithm, WORLD)})


def chunked(bucket: Bucket) -> str:
    answer = bucket.ask("PUT", "o", "", trickled(HELLO), by=By(payload=UNSIGNED))
    return answer.said + ("" if answer.status != 200 or bucket.get("o") == HELLO else ", and stores other bytes")


def expect(bucket: Bucket) -> str:
    connection = http.client.HTTPConnection(*bucket.server.address, timeout=30)
    fields = {"Expect": "100-continue", "Content-Length": "5"}
    target, signed = bucket.signed("PUT", f"/{bucket.name}/o", "", HELLO, By(), fields)
    try:
        connection.putrequest("PUT", target)
        for name, value in signed.items():
            connection.putheader(name, value)
        connection.endheaders()
        return waiting(connection, 2).decode().partition("\r\n")[0].removeprefix("HTTP/1.1 ") or "nothing"
    finally:
        connection.close()


def tagged(bucket: Bucket) -> str:
    said = put(bucket, x_amz_tagging="a=1")
    tags = bucket.ask("GET", "o", "tagging")
    return f"{said}, {'kept' if b'<Key>a</Key>' in tags.body else 'lost'}"


def storage_class(bucket: Bucket, name: str) -> str:
    return put(bucket, x_amz_storage_class=name)


def acl(bucket: Bucket, name: str) -> str:
    return put(bucket, x_amz_acl=name)


def encrypted(bucket: Bucket, kind: str) -> str:
    answer = bucket.ask("PUT", "o", "", HELLO, x_amz_server_side_encryption=kind)
    return f"{answer.said}{', told' if answer['x-amz-server-side-encryption'] else ''}"


def metadata(bucket: Bucket, value: str) -> str:
    said = put(bucket, x_amz_meta_a=value)
    if said != "200":
        return said
    got = bucket.ask("HEAD", "o")["x-amz-meta-a"] or ""
    return "200, kept" if got == value else f"200, shown as `{got}`"


def fields_kept(bucket: Bucket) -> str:
    fields = {"Cache-Control": "no-cache", "Content-Disposition": "inline", "Content-Encoding": "gzip"}
    bucket.put("o", **fields)
    head = bucket.ask("HEAD", "o")
    return ", ".join(f"`{name}`" for name in fields if head[name] == fields[name]) or "none"


# --- names


def name(bucket: Bucket, key: str) -> str:
    said = put(bucket, key)
    if said != "200":
        return said
    listed = bucket.names()
    return "200" if listed == [key] else f"200, listed as {', '.join(f'`{each}`' for each in listed) or 'nothing'}"


def line_end(bucket: Bucket) -> str:
    said = put(bucket, "a\nb")
    if said != "200":
        return said
    return f"200, {'listed' if bucket.names('encoding-type=url') == ['a%0Ab'] else 'listed otherwise'}"


def order(bucket: Bucket) -> str:
    """In UTF-8 U+FF5E stands before U+1F600, in UTF-16 after it."""
    for key in ("\U0001f600", "～", "é", "Z", "a"):
        bucket.put(key)
    return "of the bytes" if "".join(bucket.names()) == "Zaé～\U0001f600" else "another"


# --- buckets and listings


def no_bucket(bucket: Bucket, method: str, key: str = "o", query: str = "") -> str:
    return bucket.ask(method, key, query, HELLO if method == "PUT" else b"", bucket="bulkput-none").said


def strangers_bucket(bucket: Bucket, method: str, key: str = "o", query: str = "") -> str:
    by = By(access_key=bucket.stranger.access_key, secret_key=bucket.stranger.secret_key)
    return bucket.ask(method, key, query, HELLO if method == "PUT" else b"", by=by).said


def made_again(bucket: Bucket) -> str:
    return bucket.ask("PUT").said


def stranger_makes(bucket: Bucket) -> str:
    by = By(access_key=bucket.stranger.access_key, secret_key=bucket.stranger.secret_key)
    return bucket.ask("PUT", by=by).said


def long_page(bucket: Bucket) -> str:
    answer = bucket.ask("GET", "", "list-type=2&max-keys=5000")
    return f"{answer.said}, {answer.one('MaxKeys')} at most"


def start_after(bucket: Bucket) -> str:
    for key in "abc":
        bucket.put(key)
    return yes(bucket.names("start-after=a") == ["b", "c"])


def encoded(bucket: Bucket) -> str:
    bucket.put("a b/é+")
    (got,) = bucket.names("encoding-type=url")
    return f"`{got}`"


def etag_listed(bucket: Bucket) -> str:
    etag = bucket.put("o")["ETag"]
    return yes(bucket.ask("GET", "", "list-type=2").all("ETag") == [etag])


def bucket_region(bucket: Bucket) -> str:
    return bucket.ask("HEAD")["x-amz-bucket-region"] or "none"


def request_id(bucket: Bucket) -> str:
    answer = bucket.put("o")
    fields = ("x-amz-request-id", "x-amz-id-2", "x-amzn-RequestId", "Server")
    return ", ".join(f"`{each}`" for each in fields if answer[each]) or "none"


def other_region(bucket: Bucket) -> str:
    """As a client that signs for another region."""
    region = bucket.server
    bucket.server = type(region)(region.endpoint, region.access_key, region.secret_key, "eu-west-9")
    return put(bucket)


# --- deletions


def deleted(bucket: Bucket) -> str:
    return bucket.ask("DELETE", "none").said


def delete_many(bucket: Bucket, count: int) -> str:
    answer = bucket.remove(f"none-{n}" for n in range(count))
    return f"{answer.said}, {len(answer.all('Deleted'))} deleted" if b"<Deleted>" in answer.body else answer.said


def delete_without_md5(bucket: Bucket) -> str:
    bucket.put("o")
    return bucket.remove(["o"], with_md5=False).said


def versioned(bucket: Bucket) -> str:
    body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    said = bucket.ask("PUT", "", "versioning", body)
    if said.status != 200:
        return said.said
    bucket.put("o")
    return "a marker" if bucket.ask("DELETE", "o")["x-amz-delete-marker"] == "true" else "nothing"


ALGORITHMS = ("md5", "crc32c", "crc64nvme", "sha256")
PROBES: dict[str, Callable[[Bucket], str]] = {
    "a wrong secret key": wrong_key,
    "an unknown access key": unknown_user,
    "no signature": anonymous,
    "a clock an hour late": partial(late, seconds=-3600),
    "a clock an hour early": partial(late, seconds=3600),
    "a signature for another region": other_region,
    "`UNSIGNED-PAYLOAD` without TLS": unsigned,
    "the SHA-256 of another body in the signature": other_body,
    "PUT with `If-None-Match: *` where there is an object": if_none_match,
    "PUT with an `If-Match` that does not match": if_match,
    "a wrong `Content-MD5`": wrong_md5,
    "a `Content-MD5` that is none": bad_md5,
    **{f"a right `x-amz-checksum-{each}`": partial(right_checksum, algorithm=each) for each in ALGORITHMS},
    **{f"a wrong `x-amz-checksum-{each}`": partial(wrong_checksum, algorithm=each) for each in ALGORITHMS},
    "a body in chunks (`Transfer-Encoding`)": chunked,
    "before the body, to `Expect: 100-continue`": expect,
    "`x-amz-tagging`": tagged,
    "`x-amz-storage-class: STANDARD`": partial(storage_class, name="STANDARD"),
    "`x-amz-storage-class` of another store": partial(storage_class, name="NONE_SUCH"),
    "`x-amz-acl: public-read`": partial(acl, name="public-read"),
    "`x-amz-acl` that is none": partial(acl, name="none-such"),
    "`x-amz-server-side-encryption: AES256`": partial(encrypted, kind="AES256"),
    "`x-amz-server-side-encryption: aws:kms`": partial(encrypted, kind="aws:kms"),
    "metadata `a  b`": partial(metadata, value="a  b"),
    "metadata `é`, in Latin-1": partial(metadata, value="é"),
    "metadata `=?UTF-8?B?w6k=?=`": partial(metadata, value="=?UTF-8?B?w6k=?="),
    "keeps": fields_kept,
    "an object `..`": partial(name, key=".."),
    "an object `a/../b`": partial(name, key="a/../b"),
    "an object `a//b`": partial(name, key="a//b"),
    "an object `/a`": partial(name, key="/a"),
    "an object `a/`": partial(name, key="a/"),
    "an object `a b+&%41`": partial(name, key="a b+&%41"),
    "a name with a line end": line_end,
    "a name of 1024 bytes": lambda bucket: put(bucket, "x" * 1024),
    "a name of 1025 bytes": lambda bucket: put(bucket, "x" * 1025),
    "PUT to a bucket that is not there": partial(no_bucket, method="PUT"),
    "HEAD of a bucket that is not there": partial(no_bucket, method="HEAD", key=""),
    "a listing of a bucket that is not there": partial(no_bucket, method="GET", key="", query="list-type=2"),
    "PUT to a bucket of another user": partial(strangers_bucket, method="PUT"),
    "HEAD of a bucket of another user": partial(strangers_bucket, method="HEAD", key=""),
    "a listing of a bucket of another user": partial(strangers_bucket, method="GET", key="", query="list-type=2"),
    "making a bucket that one has": made_again,
    "making a bucket that another user has": stranger_makes,
    "the order of a listing": order,
    "a page of a listing with `max-keys=5000`": long_page,
    "`start-after` is respected": start_after,
    "`a b/é+` with `encoding-type=url`": encoded,
    "a listing has the ETags of the answers": etag_listed,
    "`x-amz-bucket-region` in HEAD of a bucket": bucket_region,
    "an answer tells who and what": request_id,
    "DELETE of an object that is not there": deleted,
    "DeleteObjects of 100 names that are not there": partial(delete_many, count=100),
    "DeleteObjects of 1001 names": partial(delete_many, count=1001),
    "DeleteObjects without `Content-MD5`": delete_without_md5,
    "DELETE leaves, in a versioned bucket": versioned,
}
