"""What a project's file may set: it comes with a clone, so a stranger may have written it.

Such a file must not send the user's credentials or other files anywhere, or remove anything. It may leave files out, as
a .gitignore does. So it may set only the options below. All others, new ones too, need a flag, a variable, or the
user's own file.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from bulkput.config.names import HTTP_PREFIX, variable
from bulkput.errors import UsageError, printable

PROJECT_MAY_SET = frozenset(
    (
        # Which files of the tree that the user names. Not `follow-symlinks`, `files-from` and `base`: these reach files
        # outside of it, such as keys.
        "include", "exclude", "include-from", "exclude-from", "min-age", "max-age", "min-size", "max-size",
        "one-file-system", "fail-if-empty", "changing",
        # Their names, and what is stored with them. Not `header`: X-Copy-From publishes another object. Not
        # `expires-in`, nor `rules`, where it may stand: that removes. Not `segment-container`: `segments` removes from
        # it.
        "literal", "encode-names", "dir-markers",
        "meta", "keep-tag", "content-type", "cache-control", "mtime-format", "storage-policy",
        "checksum-headers",
        "gzip", "gzip-level", "gzip-as", "gzip-except",
        "segment-size", "segment-above", "large",
        # What need not be sent. Not `delete-extra`, `keep-for`, `expire-extra`, `reap-segments`, `reap`, `older-than`,
        # `recursive` and `with-segments`, which remove; nor `quick`, `dry-run` and `retry-failed`, with which success
        # means less, nor `journal`: a clone may hold one that says that everything is stored.
        "skip", "check-expiry", "last", "if-exists",
        # How requests are sent. Not `insecure`, nor anything that chooses a login, nor `rate-shared`,
        # which gets a token, and may hold back a run for ever.
        "concurrency", "rate", "rate-per-container", "bandwidth", "transport", "retries", "first-retries", "timeout",
        "stalled-after", "max-errors", "fail-fast",
        # What is printed, and a word for logs. Not `summary`, `summary-md`, `trace`, `report`
        # and `chart`, which write files, nor `status-page`, which shows the run to others.
        "tag", "print-urls", "progress", "verbose", "quiet", "by", "sort", "top", "distinct", "sizes", "seconds",
    )
)  # fmt: skip

ONLY_TYPED = frozenset(("yes",))
"""A confirmation that is given once and for all confirms nothing."""

_SCHEMES = ("swift", "s3", "http", "https")
"""URLs whose credentials bulkput knows: those of Swift and S3 come with the server that they belong to, and of the keys
of S3 only signatures are sent; those of HTTP are below."""


def refusal(key: str, *, is_project: bool) -> str | None:
    """Why a file must not set this option; None if it may."""
    if key in ONLY_TYPED:
        return "is only taken from the command line: it confirms one command"
    if is_project and key not in PROJECT_MAY_SET:
        return (
            "must not be set by a project's file, which may be a stranger's: "
            f"set it in your own config.toml, or by {variable(key)}"
        )
    return None


def check_project_destination(profile: str, url: str, file: str, environ: Mapping[str, str]) -> None:
    """Raises UsageError if a project's alias would get credentials that are not surely meant for its server.

    Those of variables are not: BULKPUT_HTTP_TOKEN is for the server that the user types, and an alias hides that one.
    BULKPUT_HTTP_TOKEN_DAV_EXAMPLE_ORG names dav.example.org, but also dav-example.org, which a stranger may own. netrc
    has exact names. They are not sent where others can read them: `http://` may be the stranger's choice, too.
    """
    scheme = url.partition("://")[0].lower()
    where = f"{printable(file)}: profile.{profile}.destination"
    if scheme not in _SCHEMES:
        raise UsageError(f"{where} is {printable(scheme)}://: in a project's file, it is swift://, s3:// or http(s)://")
    if scheme in ("swift", "s3"):
        return
    from bulkput.stores.http.credentials import authorization_of  # noqa: PLC0415 - netrc, which few need

    of_netrc = {name: value for name, value in environ.items() if not name.startswith(HTTP_PREFIX)}
    if authorization_of(url, environ) != (sent := authorization_of(url, of_netrc)):
        raise UsageError(
            f"{where} is {printable(url)}, and credentials of {HTTP_PREFIX}* would be sent there, though only the"
            " project names that server: put them into ~/.netrc, or type the URL"
        )
    if sent is not None and scheme == "http" and not _is_this_machine(url):
        raise UsageError(
            f"{where} is {printable(url)}, and your login of netrc would be sent there unencrypted, as only the"
            " project wants it: let it be https://, or type the URL"
        )


def _is_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
