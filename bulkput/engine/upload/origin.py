"""Opens the source of an upload if it is a URL and no path. Nothing of what that takes is imported for paths."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bulkput.engine.upload.assembly import Context
from bulkput.options import UploadOptions
from bulkput.policy.naming import is_url

if TYPE_CHECKING:
    from bulkput.engine.sources.open_source import Origin


def url_of(roots: list[bytes], options: UploadOptions) -> str | None:
    """The URL that is the source; None if the sources are paths. Raises UsageError."""
    if not any(map(is_url, roots)):
        return None
    from bulkput.engine.upload.survey_objects import check_for_objects  # noqa: PLC0415 - see above

    check_for_objects(roots, options)
    return os.fsdecode(roots[0])


@asynccontextmanager
async def origin_of(
    url: str | None, destination: str, context: Context, environ: Mapping[str, str] | None
) -> "AsyncIterator[Origin | None]":
    """The open source; None if there is no `url`. Raises UsageError."""
    if url is None:
        yield None
        return
    from bulkput.engine.sources.open_source import opened_source  # noqa: PLC0415 - see above

    options = context.options
    async with opened_source(
        url,
        destination=destination,
        options=options,
        emit=context.emit,
        brake=context.stop,
        environ=environ,
    ) as origin:
        yield origin
