"""What an S3 does with uploads in parts and with copies: probes of the table in docs/s3-servers.md."""

import hashlib
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

from tests.contract.s3_objects import HELLO, yes
from tests.contract.s3wire import PART, Bucket

LONG = b"a" * PART


def begun(bucket: Bucket, *bodies: bytes, key: str = "o") -> tuple[str, dict[int, str]]:
    """Begins an upload and sends its parts; gives its number and their ETags."""
    upload = bucket.begin(key)
    return upload, {n: bucket.part(upload, n, body, key) for n, body in enumerate(bodies, 1)}


def etag_of_parts(bucket: Bucket) -> str:
    bodies = bucket.in_two_parts()
    digest = hashlib.md5(b"".join(hashlib.md5(body).digest() for body in bodies)).hexdigest()
    return yes(bucket.ask("HEAD", "o")["ETag"] == f'"{digest}-2"')


def small_part(bucket: Bucket) -> str:
    return bucket.complete(*begun(bucket, HELLO, HELLO)).said


def wrong_etag(bucket: Bucket) -> str:
    upload, etags = begun(bucket, LONG, HELLO)
    return bucket.complete(upload, {**etags, 2: etags[1]}).said


def part_never_sent(bucket: Bucket) -> str:
    upload, etags = begun(bucket, LONG)
    return bucket.complete(upload, {**etags, 2: etags[1]}).said


def part_left_out(bucket: Bucket) -> str:
    """It was sent, but the completion does not name it."""
    upload, etags = begun(bucket, LONG, LONG, HELLO)
    answer = bucket.complete(upload, {1: etags[1], 3: etags[3]})
    if answer.status != 200 or answer.code:
        return answer.said
    return f"200, {len(bucket.get('o')) - PART - len(HELLO)} bytes more"


def wrong_order(bucket: Bucket) -> str:
    upload, etags = begun(bucket, LONG, HELLO)
    return bucket.complete(upload, {2: etags[2], 1: etags[1]}).said


def no_parts(bucket: Bucket) -> str:
    return bucket.complete(bucket.begin(), {}).said


def completed_twice(bucket: Bucket) -> str:
    upload, etags = begun(bucket, HELLO)
    assert bucket.complete(upload, etags).status == 200
    return bucket.complete(upload, etags).said


def part_to_completed(bucket: Bucket) -> str:
    upload, etags = begun(bucket, HELLO)
    assert bucket.complete(upload, etags).status == 200
    return bucket.ask("PUT", "o", f"partNumber=1&uploadId={quote(upload)}", HELLO).said


def completed_if_none(bucket: Bucket) -> str:
    bucket.put("o")
    return bucket.complete(*begun(bucket, HELLO), **{"If-None-Match": "*"}).said


def part_10001(bucket: Bucket) -> str:
    upload = bucket.begin()
    return bucket.ask("PUT", "o", f"partNumber=10001&uploadId={quote(upload)}", HELLO).said


def sent_twice(bucket: Bucket) -> str:
    upload, _ = begun(bucket, LONG)
    etag = bucket.part(upload, 1, HELLO)
    assert bucket.complete(upload, {1: etag}).status == 200
    return yes(bucket.get("o") == HELLO)


def parts_listed(bucket: Bucket) -> str:
    upload, etags = begun(bucket, LONG, HELLO)
    answer = bucket.ask("GET", "o", f"uploadId={quote(upload)}")
    found = [int(n) for n in answer.all("PartNumber")], answer.all("Size"), answer.all("ETag")
    return yes(found == ([1, 2], [str(PART), "5"], list(etags.values())))


def unfinished(bucket: Bucket) -> str:
    for key in ("a/1", "a/2", "b"):
        bucket.begin(key)
    return yes(bucket.ask("GET", "", "prefix=a%2F&uploads").all("Key") == ["a/1", "a/2"])


def unfinished_removed(bucket: Bucket) -> str:
    upload, _ = begun(bucket, HELLO)
    assert bucket.ask("DELETE", "o", f"uploadId={quote(upload)}").status == 204
    return bucket.ask("GET", "o", f"uploadId={quote(upload)}").said


def hidden(bucket: Bucket) -> str:
    begun(bucket, HELLO)
    return "nothing" if bucket.names() == [] else ", ".join(bucket.names())


def bucket_with_unfinished(bucket: Bucket) -> str:
    begun(bucket, HELLO)
    return bucket.ask("DELETE").said


def first_part(bucket: Bucket, method: str) -> str:
    bucket.in_two_parts()
    answer = bucket.ask(method, "o", "partNumber=1")
    size = "the part's" if answer["Content-Length"] == str(PART) else "the object's"
    counted = answer["x-amz-mp-parts-count"]
    return f"{answer.status}, {size} length" + (f", {counted} parts" if counted else "")


def with_fields(bucket: Bucket) -> str:
    upload = bucket.begin(**{"Content-Type": "text/x-a", "x-amz-meta-a": "1", "Cache-Control": "no-cache"})
    assert bucket.complete(upload, {1: bucket.part(upload, 1, HELLO)}).status == 200
    head = bucket.ask("HEAD", "o")
    return yes((head["Content-Type"], head["x-amz-meta-a"], head["Cache-Control"]) == ("text/x-a", "1", "no-cache"))


def with_tags(bucket: Bucket) -> str:
    begun_so = bucket.ask("POST", "o", "uploads", x_amz_tagging="a=1")
    if begun_so.status != 200:
        return begun_so.said
    upload = begun_so.one("UploadId")
    assert bucket.complete(upload, {1: bucket.part(upload, 1, HELLO)}).status == 200
    return "200, kept" if is_tagged(bucket, "o") else "200, lost"


def is_tagged(bucket: Bucket, key: str) -> bool:
    return b"<Key>a</Key>" in bucket.ask("GET", key, "tagging").body


def copied(bucket: Bucket, **fields: str) -> tuple[str, str | None, str | None]:
    bucket.put("o", **{"Content-Type": "text/x-a", "x-amz-meta-a": "1"})
    fields = {name.replace("_", "-"): value for name, value in fields.items()}
    answer = bucket.ask("PUT", "copy", "", **{"x-amz-copy-source": f"/{bucket.name}/o", **fields})
    if answer.status != 200:
        return answer.said, None, None
    assert bucket.get("copy") == HELLO
    head = bucket.ask("HEAD", "copy")
    return "", head["Content-Type"], head["x-amz-meta-a"]


def copy(bucket: Bucket) -> str:
    said, kind, meta = copied(bucket)
    return said or yes((kind, meta) == ("text/x-a", "1"))


def copy_replaced(bucket: Bucket) -> str:
    said, kind, meta = copied(bucket, x_amz_metadata_directive="REPLACE", Content_Type="text/x-b", x_amz_meta_b="2")
    return said or yes((kind, meta) == ("text/x-b", None))


def copy_tagged(bucket: Bucket, **fields: str) -> str:
    put = bucket.ask("PUT", "o", "", HELLO, x_amz_tagging="b=1" if fields else "a=1")
    if put.status != 200:
        return put.said
    source = {"x-amz-copy-source": f"/{bucket.name}/o", "x-amz-metadata-directive": "REPLACE"}
    answer = bucket.ask("PUT", "copy", "", **source, **fields)
    return f"{answer.said}, {'kept' if is_tagged(bucket, 'copy') else 'lost'}"


def copy_if_match(bucket: Bucket) -> str:
    return copied(bucket, x_amz_copy_source_if_match='"00000000000000000000000000000000"')[0] or "200"


def copy_if_none(bucket: Bucket) -> str:
    bucket.put("copy")
    return copied(bucket, If_None_Match="*")[0] or "200"


def copy_of_none(bucket: Bucket) -> str:
    return bucket.ask("PUT", "copy", "", **{"x-amz-copy-source": f"/{bucket.name}/none"}).said


def copy_of_quoted(bucket: Bucket) -> str:
    bucket.put("ä +%")
    answer = bucket.ask("PUT", "copy", "", **{"x-amz-copy-source": f"/{bucket.name}/{quote('ä +%')}"})
    return answer.said


def copy_to_itself(bucket: Bucket) -> str:
    bucket.put("o")
    return bucket.ask("PUT", "o", "", **{"x-amz-copy-source": f"/{bucket.name}/o"}).said


def copied_part(bucket: Bucket) -> str:
    bucket.put("o", HELLO * 2)
    upload = bucket.begin("copy")
    fields = {"x-amz-copy-source": f"/{bucket.name}/o", "x-amz-copy-source-range": "bytes=3-6"}
    answer = bucket.ask("PUT", "copy", f"partNumber=1&uploadId={quote(upload)}", **fields)
    if answer.status != 200:
        return answer.said
    assert bucket.complete(upload, {1: answer.one("ETag")}, "copy").status == 200
    return "200" if bucket.get("copy") == b"lohe" else "200, other bytes"


PROBES: dict[str, Callable[[Bucket], str]] = {
    "the ETag of two parts is the MD5 of their MD5s, and `-2`": etag_of_parts,
    "fields of an upload in parts are those of its beginning": with_fields,
    "`x-amz-tagging` of an upload in parts": with_tags,
    "completing with a first part of 5 bytes": small_part,
    "completing with a wrong ETag": wrong_etag,
    "completing with a part that was not sent": part_never_sent,
    "completing without the second part of three": part_left_out,
    "completing with parts in another order": wrong_order,
    "completing without parts": no_parts,
    "completing again": completed_twice,
    "completing with `If-None-Match: *` where there is an object": completed_if_none,
    "a part of a completed upload": part_to_completed,
    "a part with number 10 001": part_10001,
    "a part that is sent again replaces the first": sent_twice,
    "ListParts has number, size and ETag": parts_listed,
    "ListMultipartUploads with a prefix": unfinished,
    "ListParts of an aborted upload": unfinished_removed,
    "an unfinished upload is listed among objects as": hidden,
    "DELETE of a bucket with an unfinished upload": bucket_with_unfinished,
    "HEAD with `partNumber=1`": lambda bucket: first_part(bucket, "HEAD"),
    "GET with `partNumber=1`": lambda bucket: first_part(bucket, "GET"),
    "a copy has the fields of its source": copy,
    "a copy with `REPLACE` has its own": copy_replaced,
    "a copy with `REPLACE`: the tags of its source": copy_tagged,
    "a copy with `REPLACE` of tags and all else: its `x-amz-tagging`": partial(
        copy_tagged, x_amz_tagging="a=1", x_amz_tagging_directive="REPLACE"
    ),
    "a copy with an `x-amz-copy-source-if-match` that does not match": copy_if_match,
    "a copy with `If-None-Match: *` where there is an object": copy_if_none,
    "a copy of an object that is not there": copy_of_none,
    "a copy of an object whose name is quoted": copy_of_quoted,
    "a copy to itself, with nothing changed": copy_to_itself,
    "UploadPartCopy of a range": copied_part,
}
