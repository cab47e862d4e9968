"""The buckets that a pair of keys may see, by ListBuckets.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
"""

from typing import TYPE_CHECKING

from bulkput.errors import StoreError, StoreGone
from bulkput.model import Container
from bulkput.stores.powers import ContainerPage
from bulkput.stores.s3.errors import code_of, error_of
from bulkput.stores.s3.listing import MAX_PAGE_BYTES, NO_S3, NOT_OF_S3
from bulkput.stores.s3.requests import BucketRequests, Request
from bulkput.stores.s3.wire_format import parsed, query_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_WHAT = "buckets"
_PAGE = "1000"
"""Buckets of a page of Amazon's, which lists no more than 10 000 to those who ask for all at once. Other stores are not
asked for pages: all that are known answer with all buckets."""


async def page_of_buckets(requests: BucketRequests, at: str, *, is_amazons: bool) -> ContainerPage:
    """One page, the first for `""`. Raises StoreError."""
    parameters = {"max_buckets": _PAGE} if is_amazons else {}
    if at:
        parameters["continuation_token"] = at
    request = Request("GET", query=query_of(**parameters), bucket="", max_answer=MAX_PAGE_BYTES)
    answer = await requests.ask("list", request)
    code = code_of(answer)
    if not code and answer.status in NOT_OF_S3 and b"<ListAllMyBucketsResult" not in answer.body:
        raise StoreGone("list", _WHAT, NO_S3, status=answer.status)
    if answer.status != 200 or code:
        raise error_of("list", _WHAT, answer)
    root = parsed(answer.body, "list", _WHAT)
    return ContainerPage(tuple(map(_row, root.iter("Bucket"))), root.findtext("ContinuationToken") or None)


def _row(bucket: "Element") -> Container:
    name, made = bucket.findtext("Name"), bucket.findtext("CreationDate") or ""
    if not name:
        raise StoreError("list", _WHAT, "the answer has a bucket without a name")
    return Container(name, last_modified=made.removesuffix("Z") or None)
