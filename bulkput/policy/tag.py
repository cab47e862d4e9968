"""The tag of a run: a word by which operators find its requests in their logs, such as `build-4711`.

Swift's catch_errors appends X-Trans-Id-Extra to the id of each transaction, 32 characters of it at most
(swift/common/middleware/catch_errors.py), and quotes it. So a tag is a word that needs no quoting, there and in a
comment of the User-Agent (RFC 9110, 5.6.5).
"""

import re
from dataclasses import replace

from bulkput.errors import UsageError
from bulkput.options import UploadOptions

MOST = 32
"""Characters that Swift takes."""
_META = "Tag"
_TAG = re.compile(r"[A-Za-z0-9._-]+")


def tagged(options: UploadOptions) -> UploadOptions:
    """The options, with the tag among the metadata of each object if `keep_tag` is set.

    Raises UsageError: a tag that cannot be sent, or none to keep.
    """
    tag = options.tag
    if tag is None:
        raise UsageError("`keep_tag` needs a `tag` to keep")
    if not _TAG.fullmatch(tag):
        raise UsageError(f"`tag` {tag!r}: a tag is made of letters, digits, dots, dashes and underscores")
    if len(tag) > MOST:
        raise UsageError(f"`tag` {tag!r} has {len(tag)} characters: Swift takes {MOST} into the ids of its requests")
    if not options.keep_tag:
        return options
    headers = options.headers
    if any(name.lower() == _META.lower() for name, _ in headers.meta):
        raise UsageError(
            f"`headers.meta` {_META} and `keep_tag` exclude each other: both are the same metadata. Leave out one"
        )
    return replace(options, headers=replace(headers, meta=(*headers.meta, (_META, tag))))
