"""A rule about single files of an upload, an item of `UploadOptions.rules`."""

from bulkput.model import Fields, GzipMode
from bulkput.record import frozen


@frozen(kw_only=True)
class Rule:
    """What is stored with the files that match. Fields that are None or empty say nothing.

    The rules of a run are read in their order. For each field by itself, and for each name of metadata, the first rule
    counts that matches the file and says something; if none does, the option for all objects counts
    (`policy/rules.py`).
    """

    match: tuple[str, ...]
    """The files that this rule is about: those that match one of these patterns. Gitignore syntax, relative to the
    source, as `walk.include`."""
    content_type: str | None = None
    """Their type."""
    cache_control: str | None = None
    """Their Cache-Control."""
    content_disposition: str | None = None
    """Their Content-Disposition: `attachment` makes a browser save the object in place of showing it."""
    meta: Fields = ()
    """User metadata."""
    expires_in_s: int | None = None
    """The store deletes each object this many seconds after its upload."""
    gzip: GzipMode | None = None
    """Whether they are sent compressed. `gzip.exclude` is stronger."""
    storage_class: str | None = None
    """The storage class of their objects, on stores that have such."""
