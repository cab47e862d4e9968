"""One bucket of S3 as a Store: exactly one PUT per object, proven by its MD5 or by the checksum that S3 returns."""

from collections.abc import AsyncGenerator, Container, Iterable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from bulkput.errors import Denied, IntegrityError, NotFound, StoreError, StoreGone, Unsupported, UsageError
from bulkput.model import Body, Limits, ObjectHeaders, Prefix, RemoteObject, Stored
from bulkput.options import MIB
from bulkput.payload.digest import DigestingBody
from bulkput.payload.in_memory import BytesBody
from bulkput.policy.bucket_names import Rules, wrong_bucket
from bulkput.policy.etag import md5_of
from bulkput.policy.mtime import mtime_text
from bulkput.policy.s3_proof import Proves, proves
from bulkput.stores.base import Destination, StoreContext
from bulkput.stores.powers import Powers
from bulkput.stores.s3.checksums import Checksums, Said
from bulkput.stores.s3.credentials import Credentials, found_in, no_credentials
from bulkput.stores.s3.encryption import customer_key, refuse_in_clear
from bulkput.stores.s3.errors import code_of, error_of, error_of_reading, of_one, request_id_of
from bulkput.stores.s3.listing import Listing
from bulkput.stores.s3.requests import BucketRequests, Request, Way
from bulkput.stores.s3.seldom import SeldomUsed
from bulkput.stores.s3.settings import Settings, is_directory_bucket
from bulkput.stores.s3.sign import UNSIGNED
from bulkput.stores.s3.wire_format import (
    described,
    fresh_head,
    has_opaque_etag,
    kept,
    render,
    unproven_put,
)
from bulkput.stores.second_look import SecondLook
from bulkput.transport.base import Answer

if TYPE_CHECKING:
    from bulkput.payload.reading import Span

GIB = 1024 * MIB
LIMITS = Limits(
    max_name_bytes=1024,
    max_object_bytes=5 * GIB,
    max_deletes=1000,
    max_parts=10_000,
    min_part_bytes=5 * MIB,
)
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html"""


class S3Store:
    """Objects of one bucket, which is made by `prepare` only if that is asked for."""

    limits = LIMITS
    keeps_metadata = True

    def __init__(self, bucket: str, way: Way, context: StoreContext) -> None:
        self.context = context
        self.bucket = bucket
        self.was_made = False
        self.customer_key = customer_key(context.environ)
        """Fields of requests about objects that are encrypted with the user's own key."""
        self._way = way
        self.requests = BucketRequests(bucket, way)
        self._ask = self.requests.ask
        self.is_directory = is_directory_bucket(bucket)
        self.checksums = Checksums(
            context.s3.checksum, is_tls=way.place(bucket).is_tls, is_directory_bucket=self.is_directory
        )
        if self.customer_key:
            self.checksums.hash_first()
        self._listing = Listing(self.requests, bucket, way.settings)
        self._seldom = SeldomUsed(self, way)
        shown = partial(fresh_head, is_opaque=self.is_directory)
        self._second_look = SecondLook(self._fresh_head, self.get, self.delete, shown=shown)
        self._told: set[str] = set()
        self.has_stored = False
        """Whether these keys have stored an object in this run."""
        self._has_deleted = False
        self._may_list = True

    def __repr__(self) -> str:
        return f"S3Store({self.bucket!r})"

    @property
    def place(self) -> str:
        """Amazon's buckets have one name for the whole world (of a partition), others belong to their server."""
        return self._way.settings.account

    @property
    def url(self) -> str:
        return self._way.place(self.bucket).url

    @property
    def is_amazons(self) -> bool:
        return self._way.settings.endpoint is None

    @property
    def powers(self) -> Powers:
        return Powers(
            shows_md5=not self.is_directory,
            needs_length=True,
            storage_classes=True,
            settle=self._second_look.settle,
            get=self.get,
            get_once=self.get,
            fetch=self._seldom.fetch,
            read=self.read,
            describe=self.describe,
            delete_many=self.delete_many,
            copy=self._seldom.copy,
            rehearse=self.rehearse,
            refuses_existing=self._seldom.refuses_existing,
            hand_over=self._seldom.hand_over,
            large=self._seldom.large if self.context.large.mode != "never" else None,
            beside=self.beside,
            containers=self._seldom.containers,
            unfinished=self._seldom.unfinished,
            part_sizes=self._seldom.part_sizes,
            access=self._seldom.access,
            urls=self._seldom.urls,
        )

    def beside(self, bucket: str) -> "S3Store":
        """Another bucket, with the same keys."""
        return S3Store(bucket, self._way, self.context)

    def url_of(self, key: str) -> str:
        """What commands take to name the object."""
        return f"s3://{self.bucket}/{key}"

    def rendered(self, headers: ObjectHeaders) -> dict[str, str]:
        """The header fields of an object."""
        fields = render(headers, mtime_text)
        return fields | self.customer_key if self.customer_key else fields

    async def prepare(self) -> None:
        """Make the bucket if that is asked for. Else look whether it is there: that request learns the region and the
        clock, and its error says what is wrong."""
        if self.context.s3.make_bucket:
            self.was_made = await self._seldom.make_bucket() or self.was_made
        else:
            self._may_list = await self._listing.check()

    async def rehearse(self) -> None:
        try:
            await self._listing.check()
        except StoreGone as error:
            if error.code != "NoSuchBucket" or not self.context.s3.make_bucket:
                raise
            self.tell_once(f"there is no bucket {self.bucket} yet: the upload makes it")

    async def undo_prepare(self) -> None:
        if self.was_made:
            self.was_made = not await self._seldom.remove_bucket()

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        if body.size is None:
            body = await _held(body)
        said = await self.checksums.of(body)
        digesting = None if said.md5 is not None else DigestingBody(body)
        fields = self.rendered(headers)
        fields.update(said.fields)
        answer = await self._ask("put", Request("PUT", key, fields, payload=said.payload), digesting or body)
        request_id = request_id_of(answer.headers)
        md5 = said.md5 if digesting is None else await digesting.sent_md5()
        size = body.size or 0
        if answer.status != 200 or md5 is None or b"<Error" in answer.body:
            raise self._put_error(key, answer, md5, headers)
        etag = answer.headers.get("ETag")
        is_plain = said.sent is None and (etag == f'"{md5}"' or md5_of(etag) == md5)  # nearly always
        if not is_plain and self.proof_of(key, answer, md5, said) is Proves.OTHERS:
            put = unproven_put(answer.headers, md5, size)
            await self._second_look.prove(key, put, answer, request_id=request_id)
        self.has_stored = True
        return Stored(key, size, md5, request_id)

    def proof_of(self, key: str, answer: Answer, md5: str, said: Said) -> Proves:
        """What the answer to a PUT of an object or a part proves. Raises StoreError if it is nothing."""
        name, sent = said.sent or ("", None)
        returned = answer.headers.get(name) if name else None
        request_id = request_id_of(answer.headers)
        found = proves(
            answer.headers.get("ETag"),
            md5,
            is_opaque=self.has_opaque_etag(answer.headers),
            sent=sent,
            returned=returned,
            is_checked="Content-MD5" in said.fields
            or (said.payload != UNSIGNED and self._way.credentials.keys is not None),
        )
        if sent is not None and returned is None and found in _INSTEAD:
            self.tell_once(_UNCONFIRMED.format(checksum=name.removeprefix("x-amz-checksum-"), proof=_INSTEAD[found]))
        elif found is Proves.CHECKED:
            self.tell_once(_CHECKED)
        if found is Proves.NOTHING:
            if self.checksums.hash_first() and said.sent is None:  # what is in flight is sent twice, to learn that
                raise IntegrityError("put", key, _HASHED_FIRST, status=answer.status, request_id=request_id)
            raise StoreError("put", key, _NOTHING, status=answer.status, request_id=request_id)
        return found

    def tell_once(self, text: str) -> None:
        """Warn of something that is so for all objects."""
        if text not in self._told:
            self._told.add(text)
            self.context.warn(text)

    def has_opaque_etag(self, headers: Mapping[str, str]) -> bool:
        """Whether the ETag in an answer need be no MD5."""
        return self.is_directory or bool(self.customer_key) or has_opaque_etag(headers)

    def _put_error(self, key: str, answer: Answer, md5: str | None, headers: ObjectHeaders) -> StoreError:
        if 200 <= answer.status < 300 and b"<Error" not in answer.body:
            detail = "S3 answers 200 to what it has stored: this answer is of something before it, and proves nothing"
            return IntegrityError("put", key, expected=md5, actual=None, status=answer.status, detail=detail)
        error = error_of("put", key, answer, sent_md5=md5)
        if not (self._may_list or self.has_stored) and error.code == "AccessDenied":
            # Like a failed login, this is the fault of no object: one of those in flight reports it.
            detail = _NO_ACCESS if self._way.credentials.keys is not None else _NO_KEYS
            denied = Denied("login", self.bucket, detail, status=403, request_id=error.request_id)
            denied.code = error.code
            return denied
        if isinstance(error, NotFound) and answer.status == 404:  # no object has to be there for a PUT
            return StoreGone("put", key, error.detail, status=404, request_id=error.request_id)
        if error.code:
            from bulkput.stores.s3.given_fields import blame  # noqa: PLC0415 - few uploads are refused

            blame(error, headers)
        return of_one(error, has_worked=self.has_stored)

    async def _fresh_head(self, key: str) -> Answer:
        fields = {"Cache-Control": "no-cache", **self.customer_key}
        return await self._ask("stat", Request("HEAD", key, fields))

    def list(
        self, prefix: str, *, delimiter: str | None = None, start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        if self.is_directory:
            detail = "a directory bucket lists names in no order: nothing can be compared with it"
            raise Unsupported("list", prefix or self.bucket, detail)
        return self._listing.rows(prefix, delimiter, start_after)

    async def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            answer = await self._ask("delete", Request("DELETE", key))
            if answer.status not in (200, 204) and not is_missing_key(answer):
                raise of_one(error_of("delete", key, answer), has_worked=self._has_deleted)
            self._has_deleted = True
            if answer.headers.get("x-amz-delete-marker") == "true":
                self.tell_once(KEEPS_VERSIONS)

    async def delete_many(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        left = await self._seldom.delete_many(keys)
        self._has_deleted = self._has_deleted or len(left) < len(keys)
        return left

    async def stat(self, key: str) -> RemoteObject | None:
        head = await self.head(key)
        return self.row(key, head) if head is not None else None

    def can_be_resumed(self, headers: ObjectHeaders) -> bool:
        """Whether an upload in parts that was begun for an object with these headers can be told from one with others,
        when it is complete."""
        is_plain = headers.storage_class is None and not headers.extra and not self.customer_key
        return is_plain and self.checksums.algorithm is None

    async def correct(
        self, key: str, headers: ObjectHeaders, etags: Container[str | None], sizes: Sequence[int]
    ) -> str | None:
        """Give an object that was completed, with one of these ETags and of parts of these sizes, these headers, if it
        has others. Its new ETag; None if it is the same as before, or if another object is there by now."""
        return await self._seldom.correct(key, headers, etags, sizes)

    def row(self, key: str, headers: Mapping[str, str]) -> RemoteObject:
        return described(key, headers, is_opaque=self.is_directory)

    async def describe(self, key: str) -> tuple[RemoteObject, ObjectHeaders] | None:
        head = await self.head(key)
        return None if head is None else (self.row(key, head), kept(head))

    async def head(self, key: str, *, bucket: str | None = None, query: str = "") -> Mapping[str, str] | None:
        """The header fields of a HEAD; None after a 404."""
        answer = await self._ask("stat", Request("HEAD", key, self.customer_key, query=query, bucket=bucket))
        if answer.status == 404:
            return None
        if answer.status not in (200, 204, 206):
            error = error_of_reading("stat", key, answer)
            if answer.status == 400 and not error.code:  # the answer to a HEAD has no text, which says why
                error.detail += f"; {_OTHER_KEY if self.customer_key else _NO_KEY}"
            raise error
        return answer.headers

    def get(self, key: str) -> AsyncGenerator[bytes, None]:
        return self.read(key)

    def read(self, key: str, *, version: str | None = None, span: "Span | None" = None) -> AsyncGenerator[bytes, None]:
        return self.requests.read(key, self.customer_key, self.has_opaque_etag, version=version, span=span)

    async def ask_limits(self) -> Limits:
        """S3 has no request for them."""
        return self.limits

    async def aclose(self) -> None:
        """Does nothing: the caller owns the transport."""


def is_missing_key(answer: Answer) -> bool:
    """Whether a 404 says that the object is not there: not its bucket, and not a proxy's page."""
    return answer.status == 404 and code_of(answer) in ("NoSuchKey", "NoSuchVersion")


async def _held(body: Body) -> Body:
    """A body of unknown length, in memory: S3 takes none without Content-Length. `powers.needs_length` tells callers
    to send long ones in parts."""
    async with aclosing(body.chunks()) as chunks:
        return BytesBody.of(b"".join([chunk async for chunk in chunks]))


def open_store(destination: Destination, context: StoreContext) -> S3Store:
    """Open a bucket with what `configured` has found. Raises UsageError for options that S3 lacks."""
    if context.storage_policy is not None:
        raise UsageError(
            "`storage_policy` is for Swift only: S3 has storage classes, in `rules` or by `headers.extra`"
            " x-amz-storage-class"
        )
    if context.large.container is not None or context.large.mode in ("slo", "dlo"):
        raise UsageError(
            "`large.container` and the modes slo and dlo are for Swift only: S3 keeps parts with the object"
        )
    if context.headers.expires_in_s is not None:
        from bulkput.stores.s3.given_fields import NO_EXPIRY  # noqa: PLC0415 - a mistake ends the run

        raise UsageError(NO_EXPIRY.format(given="`headers.expires_in_s` needs swift://, also in `rules`"))
    if any(name.lower() == "mtime" for name, _ in context.headers.meta):
        raise UsageError("`headers.meta` Mtime is the file's own modification time, which bulkput sets itself")
    settings, credentials = found_in(context)
    if not isinstance(settings, Settings) or not isinstance(credentials, Credentials):
        raise no_credentials()
    if not destination.is_account:
        check_bucket(destination.root, settings)
    store = S3Store(destination.root, Way(settings, credentials, context.transport), context)
    if not destination.is_account:
        refuse_in_clear((*store.customer_key, *(name for name, _ in context.headers.extra)), store.url)
    if context.headers.extra:
        _look_at(context)
    return store


def _look_at(context: StoreContext) -> None:
    """Warn of fields that S3 takes otherwise than they were meant. Raises UsageError for those that it cannot take."""
    from bulkput.stores.s3.given_fields import check_given, warnings_of  # noqa: PLC0415 - few runs give fields

    check_given(context.headers.extra)
    for sentence in warnings_of(context.headers.extra):
        context.warn(sentence)


def check_bucket(bucket: str, settings: Settings) -> None:
    """Raises UsageError for a name that no bucket has."""
    rules: Rules = "amazon" if settings.endpoint is None and not settings.is_old_style else "other"
    if (wrong := wrong_bucket(bucket, rules)) is not None:
        raise UsageError(wrong)


_NO_ACCESS = (
    "AccessDenied: these keys may neither list the bucket nor write to it: the bucket may be somebody else's, or a"
    " policy forbids it"
)
_NO_KEYS = (
    "AccessDenied: the bucket is not for everybody, and AWS_SKIP_SIGNATURE sends no keys: unset it, and set"
    " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE"
)
KEEPS_VERSIONS = (
    "the bucket keeps versions: what is removed is not listed any more, and stays as an older version that is paid for"
)
_CHECKED = (
    "the bucket encrypts objects so that no answer has their MD5: the store has checked the bytes that it got, and"
    " nothing of what it stored comes back to be compared; `s3.checksum='sha256'` makes it return a checksum"
)
_UNCONFIRMED = "the store does not confirm `s3.checksum={checksum!r}`, and may ignore it: {proof}"
_INSTEAD = {
    Proves.BYTES: "what proves each object is its ETag, which is the MD5 of what was sent",
    Proves.CHECKED: "what the store has checked is the signature over the bytes, and nothing of what it stored comes"
    " back to be compared",
}
"""What an object rests on whose checksum does not come back."""
_NO_KEY = "the object may be encrypted with a key of its owner (SSE-C): set BULKPUT_S3_SSE_C_KEY to that key"
_OTHER_KEY = (
    "the object may be encrypted with another key than that in BULKPUT_S3_SSE_C_KEY, or with none of its owner's"
)
_HASHED_FIRST = (
    "the bucket encrypts objects so that no answer has their MD5: from now on each file is read for its MD5 before it"
    " is sent"
)
_NOTHING = (
    "stored and kept, but nothing proves its bytes: the bucket encrypts objects so that no answer has their MD5; use"
    " `s3.checksum`, such as sha256"
)
