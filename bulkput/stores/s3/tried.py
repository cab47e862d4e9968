"""Finds out which checksums a bucket checks: it then refuses an object with a wrong one. For `bulkput doctor`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, get_args

from bulkput.errors import UsageError
from bulkput.model import ObjectHeaders
from bulkput.payload.in_memory import BytesBody
from bulkput.s3_options import Checksum
from bulkput.stores.powers import Checked
from bulkput.stores.s3.checksums import Checksums
from bulkput.stores.s3.errors import error_of
from bulkput.stores.s3.requests import Request
from bulkput.stores.s3.sign import UNSIGNED

if TYPE_CHECKING:
    from bulkput.stores.s3.store import S3Store


async def tried_checksums(store: "S3Store", key: str, body: BytesBody, headers: ObjectHeaders) -> dict[str, Checked]:
    """Put the object twice with each kind of checksum, the right one and that of other bytes. See `Access.checks`."""
    payload = (await store.checksums.of(body)).payload

    async def is_refused(fields: Mapping[str, str]) -> bool:
        request = Request("PUT", key, {**store.rendered(headers), **fields}, payload=payload)
        answer = await store.requests.ask("put", request, body)
        if answer.status != 200 and not (400 <= answer.status < 500 or answer.status == 501):
            raise error_of("put", key, answer)
        return answer.status != 200

    found: dict[str, Checked] = {}
    for checksum in get_args(Checksum):
        try:
            made = Checksums(checksum, is_tls=payload == UNSIGNED, is_directory_bucket=False)
        except UsageError:  # its library is not installed
            continue
        right = (await made.of(body)).fields
        if not right:
            continue
        if await is_refused(right):
            found[checksum] = Checked.REFUSED
        else:
            wrong = (await made.of(BytesBody.of(body.data + b"x"))).fields
            found[checksum] = Checked.YES if await is_refused(wrong) else Checked.IGNORED
    return found
