"""The bucket itself, and removals by the thousand."""

import asyncio
import hashlib
import os
from base64 import b64encode
from contextlib import suppress
from typing import TYPE_CHECKING

from bulkput.errors import NotFound, StoreError, StoreGone, Unsupported
from bulkput.model import ObjectHeaders
from bulkput.payload.in_memory import BytesBody
from bulkput.stores.powers import ContainerFacts, Refusal
from bulkput.stores.s3.errors import code_of, error_of
from bulkput.stores.s3.requests import Request, Way
from bulkput.stores.s3.settings import FIRST_REGION
from bulkput.stores.s3.store import KEEPS_VERSIONS
from bulkput.stores.s3.wire_format import can_be_named, delete_request, left_of, parsed, query_of
from bulkput.transport.base import Answer

if TYPE_CHECKING:
    from bulkput.stores.s3.store import S3Store

_DELETE_WORK = 64 * 1024
"""Bytes that each object of a DeleteObjects adds to the deadline: one second, at the rate used for deadlines."""
_MAX_ANSWER = 4 * 1024 * 1024
_IN_REGION = "<CreateBucketConfiguration><LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>"
_ALL_USERS = b"http://acs.amazonaws.com/groups/global/AllUsers"


class Bucket:
    """Makes one bucket, removes it and looks at it, and removes its objects."""

    def __init__(self, store: "S3Store", way: Way) -> None:
        self._store = store
        self._name = store.bucket
        self._ask = store.requests.ask
        self._way = way
        self._refusal: Refusal | None = None
        self._asking = asyncio.Lock()
        self._has_asked = False
        """Whether the store was asked if the bucket keeps versions."""

    async def make(self) -> bool:
        """Make the bucket in the region of the settings. False if it is there already, and is ours. This asks first,
        since some stores answer a PUT of one's own bucket as if they had made it."""
        if await self._is_ours():
            return False
        region = self._way.region(self._name)
        body = b""
        if self._store.is_amazons and region != FIRST_REGION:  # others may refuse Amazon's names
            body = _IN_REGION.format(region).encode()
        request = Request("PUT", payload=hashlib.sha256(body).hexdigest())
        answer = await self._ask("make bucket", request, BytesBody.of(body) if body else None)
        if answer.status in (200, 201):
            return True
        code = code_of(answer)
        if code == "BucketAlreadyOwnedByYou" or (code == "BucketAlreadyExists" and await self._is_ours()):
            return False
        error = error_of("make bucket", self._name, answer)
        if answer.status == 409:
            raise StoreGone("make bucket", self._name, error.detail, status=409, request_id=error.request_id)
        raise error

    async def _is_ours(self) -> bool:
        """Whether these keys may use the bucket: some stores answer BucketAlreadyExists about one's own."""
        answer = await self._ask("stat", Request("HEAD"))
        return answer.status == 200

    async def remove(self) -> bool:
        """Remove the bucket if it is empty. Returns whether it is gone."""
        answer = await self._ask("remove bucket", Request("DELETE"))
        if answer.status not in (200, 204, 404, 409):
            raise error_of("remove bucket", self._name, answer)
        return answer.status != 409

    async def look(self) -> ContainerFacts:
        """Raises NotFound if there is no such bucket, and StoreGone if something else than an S3 answers."""
        answer = await self._ask("stat", Request("HEAD"))
        if answer.status != 200:  # the answer to a HEAD has no text, which says why
            answer = await self._ask("stat", Request("GET", query=query_of(list_type="2", max_keys="1")))
        if code_of(answer) == "NoSuchBucket":
            raise NotFound("stat", self._name, "there is no such bucket", status=404)
        if answer.status != 200:
            raise self._refusal_of(answer)
        versions = await self._ask("stat", Request("GET", query="versioning="))
        state = ""
        if versions.status == 200:
            state = self._state_of(versions)
        elif not code_of(versions):  # a code says that these keys may not ask, or that there are no versions
            raise self._refusal_of(versions)
        region = self._way.region(self._name)
        return ContainerFacts(
            keeps_versions=bool(state),
            now_ns=None,
            archives=state == "Enabled",
            leaves_marks=bool(state),
            region=region if region != self._way.settings.region else "",
        )

    def _state_of(self, answer: Answer) -> str:
        """`Enabled`, `Suspended`, or nothing. Raises StoreGone."""
        with suppress(StoreError):
            root = parsed(answer.body, "stat", self._name)
            if "Versioning" in root.tag:
                return root.findtext("Status") or ""
        raise self._no_s3(answer)

    def _refusal_of(self, answer: Answer) -> StoreError:
        is_of_s3 = code_of(answer) or answer.status >= 500
        return error_of("stat", self._name, answer) if is_of_s3 else self._no_s3(answer)

    def _no_s3(self, answer: Answer) -> StoreGone:
        server = answer.headers.get("Server")
        what = f"what answers ({server}) is no S3" if server else "what answers is no S3"
        return StoreGone("stat", self._name, f"{what}: no S3 gives such an answer", status=answer.status)

    async def is_public(self) -> bool:
        """Whether everyone may read objects, by the bucket's policy or its ACL; False if this user may not ask."""
        answer = await self._ask("stat", Request("GET", query="policyStatus="))
        if answer.status == 200 and b"IsPublic" in answer.body:
            told = parsed(answer.body, "stat", self._name).findtext("IsPublic") or ""
            if told.lower() == "true":
                return True
        answer = await self._ask("stat", Request("GET", query="acl="))
        return answer.status == 200 and _ALL_USERS in answer.body

    async def delete_many(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Remove objects by one request. Returns those that are left for single requests: XML cannot have their names,
        or the store has not removed them."""
        named = tuple(filter(can_be_named, keys))
        unnamed = tuple(key for key in keys if not can_be_named(key))
        if not named:
            return unnamed
        body = delete_request(named)
        md5 = b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        request = Request(
            "POST",
            headers={"Content-MD5": md5, "Content-Type": "application/xml"},
            query="delete=",
            payload=hashlib.sha256(body).hexdigest(),
            max_answer=_MAX_ANSWER,
            moves=len(named) * _DELETE_WORK,
        )
        answer = await self._ask("delete", request, BytesBody.of(body))
        if answer.status in (405, 501):
            raise Unsupported("delete", named[0], "the store removes objects only one by one", status=answer.status)
        if answer.status != 200:
            raise error_of("delete", named[0], answer)
        left = {key for key, _ in left_of(answer.body, "delete", named[0])}
        if not left <= set(named):
            raise StoreError("delete", named[0], "the answer names objects that were not to be removed")
        await self._tell_of_versions()
        return tuple(key for key in named if key in left) + unnamed

    async def _tell_of_versions(self) -> None:
        """Warn once if removed objects stay as versions. Say nothing if these keys may not ask for that, or if no
        answer comes: the objects are removed in any case."""
        if self._has_asked:
            return
        self._has_asked = True
        with suppress(StoreError):
            answer = await self._ask("stat", Request("GET", query="versioning="))
            if answer.status == 200 and self._state_of(answer):
                self._store.tell_once(KEEPS_VERSIONS)

    async def refuses_existing(self) -> Refusal:
        """Amazon refuses one of two requests at once
        (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). To another store an object of
        a name that nobody has is put twice, which shows whether it knows the condition. This is not tried where the
        object would stay: if these keys may not remove it, or if the bucket keeps versions."""
        if self._store.is_amazons:
            return Refusal.ALWAYS
        async with self._asking:
            if self._refusal is None:
                self._refusal = await self._tried()
        return self._refusal

    async def _tried(self) -> Refusal:
        name = f".bulkput-{os.urandom(16).hex()}"
        versions = await self._ask("info", Request("GET", query="versioning="))
        if (versions.status == 200 and self._state_of(versions)) or not await self._removes(name):
            return Refusal.NEVER
        fields = self._store.rendered(ObjectHeaders(only_new=True))
        try:
            for is_first in (True, False):
                answer = await self._ask("info", Request("PUT", name, fields))
                if answer.status in (400, 403, 501) or (answer.status == 412 and not is_first):
                    return Refusal.NEVER if answer.status != 412 else Refusal.AT_REST
                if answer.status != 200:
                    raise error_of("info", name, answer)
        finally:
            if not await self._removes(name):
                self._store.tell_once(f"{name} is left in the bucket {self._name}: remove it")
        return Refusal.NEVER

    async def _removes(self, name: str) -> bool:
        """Remove an object, which need not be there. Returns whether these keys may do so."""
        with suppress(StoreError):
            answer = await self._ask("info", Request("DELETE", name))
            return answer.status in (200, 204) or code_of(answer) == "NoSuchKey"
        return False
