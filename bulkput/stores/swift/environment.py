"""The login that the environment describes, by the variables of OpenStack's own clients.

| variables, in order of precedence     | login                                                                     |
|---------------------------------------|---------------------------------------------------------------------------|
| OS_CLOUD                              | that of a cloud in clouds.yaml, whose settings `configured` puts in place |
|                                       | of all other variables below                                              |
| OS_STORAGE_URL and OS_AUTH_TOKEN      | none; with OS_AUTH_URL and credentials, they give the next token          |
| ST_AUTH, ST_USER and ST_KEY           | v1 auth (`v1.py`)                                                         |
| OS_AUTH_URL and credentials           | Keystone v3 (`keystone.py`, by `keystone_variables.py`)                   |
"""

import asyncio
from collections.abc import Mapping

from bulkput.errors import UsageError
from bulkput.options import WireOptions
from bulkput.policy.headers import check_value
from bulkput.policy.naming import is_base_url, is_http_url
from bulkput.stores.base import Configured, StoreContext
from bulkput.stores.swift.given_token import GivenToken
from bulkput.stores.swift.login import Login, Token
from bulkput.stores.swift.v1 import V1Login

CLOUD_FILE = "clouds.yaml"
"""Key of a configured environment: the file that the cloud is from. No shell can set a variable of that name."""
_HOW = (
    "set OS_CLOUD, or OS_AUTH_URL with OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME (Keystone),"
    " or ST_AUTH, ST_USER and ST_KEY (v1 auth), or OS_STORAGE_URL and OS_AUTH_TOKEN"
)


async def configured(environ: Mapping[str, str], wire: WireOptions) -> Configured:
    """Both with what the cloud of OS_CLOUD says instead; as they are if they have it already, or there is none.

    Raises UsageError: what is missing or wrong; StoreGone if a vendor's profile cannot be fetched.
    """
    if not environ.get("OS_CLOUD") or CLOUD_FILE in environ:
        return Configured(environ, wire)
    from bulkput.stores.swift.clouds import of_cloud  # noqa: PLC0415 - openstacksdk

    return Configured(*await asyncio.to_thread(of_cloud, environ, wire))


def login_of(context: StoreContext) -> Login:
    """The login of a store: by the environment, or by the process that has handed it over. Raises UsageError."""
    if context.asked_again is None:
        return login_from(context.environ)
    from bulkput.stores.swift.handed_token import HandedToken  # noqa: PLC0415 - for processes of a sharded run

    return HandedToken(context)


def login_from(environ: Mapping[str, str]) -> Login:
    """The login of the table above, by an environment that is `configured`. Raises UsageError: what is missing or
    wrong."""
    if not environ.get("OS_CLOUD"):
        return _login_from(environ)
    from bulkput.stores.swift.cloud_login import CloudLogin, in_settings  # noqa: PLC0415 - few need it

    cloud = f"cloud {environ['OS_CLOUD']} of {environ[CLOUD_FILE]}"
    try:
        return CloudLogin(_login_from(environ), cloud)
    except UsageError as error:
        raise UsageError(in_settings(str(error), cloud)) from error


def _login_from(environ: Mapping[str, str]) -> Login:
    storage_url, token = environ.get("OS_STORAGE_URL"), environ.get("OS_AUTH_TOKEN")
    fixed = base_url("OS_STORAGE_URL", storage_url) if storage_url else None
    given = None
    if fixed and token:
        check_value(token, what="OS_AUTH_TOKEN", is_secret=True)
        given = Token(fixed, token)
    v1 = {name: environ.get(name, "") for name in ("ST_AUTH", "ST_USER", "ST_KEY")}
    missing = [name for name, value in v1.items() if not value]
    if given is None and not missing:
        return V1Login(
            checked_url("ST_AUTH", v1["ST_AUTH"]),
            check_value(v1["ST_USER"], what="ST_USER"),
            check_value(v1["ST_KEY"], what="ST_KEY", is_secret=True),
            fixed,
        )
    if environ.get("OS_AUTH_URL") and (given is None or _has_credentials(environ)):
        from bulkput.stores.swift.keystone_variables import keystone_login  # noqa: PLC0415 - json, and what follows

        return keystone_login(environ, storage_url=fixed, given=given)
    if given is not None:
        return GivenToken(given)
    if len(missing) < len(v1):
        raise UsageError(f"{' and '.join(missing)} not set: {_HOW}")
    raise UsageError(f"no credentials for swift://: {_HOW}")


def _has_credentials(environ: Mapping[str, str]) -> bool:
    """Whether there is something to log in with when a given token is refused."""
    return bool(environ.get("OS_PASSWORD") or environ.get("OS_APPLICATION_CREDENTIAL_SECRET"))


def base_url(variable: str, url: str) -> str:
    """Return `url` without a slash at its end. Raises UsageError if no path can be appended to it, too."""
    if not is_base_url(checked_url(variable, url)):
        raise UsageError(f"{variable} has a ? or # in it, and paths are to be appended: take it out with what follows")
    return url.rstrip("/")


def checked_url(variable: str, url: str) -> str:
    """Return `url`. Raises UsageError if it is none, or has a password in it."""
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise UsageError(f"{variable} has a user or password before its host, which messages would show: {_HOW}")
    if not is_http_url(url):
        raise UsageError(f"{variable}={url!r} is not a URL: write http(s)://HOST[:PORT]/PATH")
    return url
