"""What may be shown of variables and values. A name that is not known is taken for a secret's."""

import re
from collections.abc import Mapping

from bulkput.config.names import HTTP_PREFIX
from bulkput.policy import source_variables

MASK = "***"
_PREFIXES = (
    "ST_", "OS_", "AWS_", HTTP_PREFIX, "BULKPUT_TEMPURL", "BULKPUT_S3_SSE_C_KEY", "BULKPUT_RATE_TOKEN",
    source_variables.PREFIX,
)  # fmt: skip
_OTHERS = frozenset(("NETRC", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"))
_PUBLIC = re.compile(
    r"ST_(?:AUTH|USER|AUTH_VERSION)"
    r"|OS_(?:AUTH_URL|AUTH_TYPE|STORAGE_URL|IDENTITY_API_VERSION|CLOUD|CLIENT_CONFIG_FILE|CACERT|CERT|REGION_NAME)"
    r"|OS_(?:INTERFACE|ENDPOINT_TYPE|SERVICE_TYPE|USERNAME|APPLICATION_CREDENTIAL_(?:ID|NAME))"
    r"|OS_(?:USER|PROJECT|TENANT|DOMAIN|USER_DOMAIN|PROJECT_DOMAIN|DEFAULT_DOMAIN)(?:_ID|_NAME)?"
    r"|AWS_(?:DEFAULT_)?(?:PROFILE|REGION)|AWS_CONFIG_FILE|AWS_SHARED_CREDENTIALS_FILE|AWS_CA_BUNDLE"
    r"|AWS_(?:IGNORE_CONFIGURED_)?ENDPOINT_URLS?(?:_S3)?|AWS_USE_(?:DUALSTACK|FIPS)_ENDPOINT"
    r"|AWS_EC2_METADATA_DISABLED|AWS_SKIP_SIGNATURE|AWS_ROLE_ARN|AWS_ROLE_SESSION_NAME|AWS_WEB_IDENTITY_TOKEN_FILE"
    rf"|{HTTP_PREFIX}USER\w*|NETRC|\w+_PROXY"
)
_SHORTENED = "AWS_ACCESS_KEY_ID"
_ENDS_WITH = 4
"""Characters of a shortened value that are shown: enough to tell one pair of keys from another."""
_SECRET_FIELD = re.compile(r"auth|token|key|secret|passw|cookie|sign", re.IGNORECASE)
_PUBLIC_FIELD = re.compile(r"content-.*|cache-control|expires|x-delete-.*|x-object-meta-.*", re.IGNORECASE)
"""Fields that describe an object. Others may be for a gateway, which wants a secret under a name of its own."""


def login_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that choose a login, a server or a proxy, sorted, with their secrets masked."""
    names = (name for name in environ if name.startswith(_PREFIXES) or name.upper() in _OTHERS)
    return {name: shown(name, environ[name]) for name in sorted(names)}


def shown(name: str, value: str) -> str:
    """The value of a variable: masked, unless a variable of that name holds no secret. Of an access key of S3 the end
    is shown, as the AWS command line shows it, if it is long enough that the rest is still unknown.

    >>> shown("ST_KEY", "testing"), shown("OS_AUTH_URL", "https://user:pass@keystone/v3")
    ('***', 'https://***@keystone/v3')
    >>> shown("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), shown("AWS_SECRET_ACCESS_KEY", "geheim")
    ('***MPLE', '***')
    """
    name = name.removeprefix(source_variables.PREFIX)
    if name == _SHORTENED and len(value) >= 4 * _ENDS_WITH:
        return MASK + value[-_ENDS_WITH:]
    if _PUBLIC.fullmatch(name.upper()) is None:
        return MASK
    if name.upper().endswith("_PROXY") and "://" not in value:
        return without_login(f"http://{value}").removeprefix("http://")
    return without_login(value)


def without_login(text: str) -> str:
    """A URL without its user and password, and without its query: that of a temporary URL is a signature.

    Any other text stays as it is, and so does a swift:// URL: in it, @ and ? are parts of names.
    """
    match = re.fullmatch(r"(?!swift:)([a-z][a-z0-9+.-]*://)(.*)", text, re.IGNORECASE | re.DOTALL)
    if match is None:
        return text
    rest = f"{MASK}@{match[2].rpartition('@')[2]}" if has_login(match[2]) else match[2]
    address, mark, _ = rest.partition("?")
    return match[1] + address + (f"?{MASK}" if mark else "")


def has_login(rest: str) -> bool:
    """Whether what follows `https://` begins with a user or a password; also with one that has an unescaped slash.

    >>> has_login("me:pass@host/"), has_login("me:pa/ss@host/"), has_login("host:80/a@b"), has_login("host/a@b")
    (True, True, False, False)
    """
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    port = re.sub(r"^\[[^\]]*\]", "", authority).partition(":")[2]  # without the address of IPv6
    return "@" in rest and ("@" in authority or not (port == "" or port.isdigit()))


def field_shown(line: str, *, is_meta: bool = False) -> str:
    """`NAME: VALUE` of a header field or of metadata, which whoever reads the object sees. Masked if the name sounds
    like a secret's, or is that of a field that does not describe an object."""
    name, colon, _ = line.partition(":")
    is_public = is_meta or _PUBLIC_FIELD.fullmatch(name.strip()) is not None
    if is_public and _SECRET_FIELD.search(name) is None:
        return line
    return f"{name}: {MASK}" if colon else MASK  # without a colon, all of it may be the value
