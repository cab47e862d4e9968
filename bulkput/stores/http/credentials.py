"""Chooses the credentials for a plain HTTP server. A server never gets the credentials of another host.

| source, in order of precedence                           | used for                                |
|----------------------------------------------------------|-----------------------------------------|
| BULKPUT_HTTP_TOKEN_<HOST>, or USER and PASSWORD with it  | that host, or that host and port        |
| BULKPUT_HTTP_TOKEN, or BULKPUT_HTTP_USER and _PASSWORD   | the server of the command's destination |
| netrc                                                    | the hosts that it names                 |

<HOST> is the host's name in capitals, with `_` for each character that is no letter and no digit. The port may follow:
BULKPUT_HTTP_TOKEN_FILES_EXAMPLE_ORG, BULKPUT_HTTP_TOKEN_FILES_EXAMPLE_ORG_8443.
"""

import base64
import netrc
import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from bulkput.errors import UsageError

_OWN_PORTS = {"http": 80, "https": 443}


def authorization_of(url: str, environ: Mapping[str, str], *, destination: str | None = None) -> str | None:
    """The value of the Authorization header for requests to `url`, or None if no credentials are set for it.

    `destination` is the URL that the command writes to, if it differs from `url`. Raises UsageError if only one of user
    and password is set, or if a netrc file cannot be read or parsed.
    """
    for suffix in _suffixes(url, is_destination=destination is None or is_one_server(url, destination)):
        if token := environ.get(f"BULKPUT_HTTP_TOKEN{suffix}"):
            return f"Bearer {token}"
        names = f"BULKPUT_HTTP_USER{suffix}", f"BULKPUT_HTTP_PASSWORD{suffix}"
        user, password = map(environ.get, names)
        if user is not None and password is not None:
            return _basic(user, password)
        if user is not None or password is not None:
            raise UsageError(f"set both {names[0]} and {names[1]}, or neither")
    login = _netrc(environ).get(urlsplit(url).hostname or "")
    return _basic(*login) if login is not None else None


def is_one_server(one: str, other: str) -> bool:
    """Whether both URLs name the same scheme, host and port."""
    return _server(one) == _server(other)


def _server(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _OWN_PORTS.get(parts.scheme)


def _suffixes(url: str, *, is_destination: bool) -> list[str]:
    """Suffixes of the environment variables that apply to `url`, the most specific first."""
    _, host, port = _server(url)
    name = re.sub(r"[^A-Z0-9]", "_", (host or "").upper())
    return [f"_{name}_{port}", f"_{name}", *([""] if is_destination else [])]


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def _netrc(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """User and password by host. Raises UsageError if the file does not parse, or if NETRC names an unreadable one."""
    named = environ.get("NETRC")
    path = named or os.path.expanduser("~/.netrc")
    try:
        hosts = netrc.netrc(path).hosts
    except netrc.NetrcParseError as error:
        # The parser's message may quote the file, and so a password: only the line number is shown.
        raise UsageError(f"cannot read {path}: line {error.lineno} is not in netrc format") from None
    except ValueError:
        raise UsageError(f"cannot read {path}: it is not text") from None
    except OSError as error:
        if named:
            raise UsageError(f"cannot read {path}, which NETRC names: {error.strerror}") from None
        # The default file is optional: it may be missing, or HOME may be another user's, as in a container.
        return {}
    return {host: (user, password or "") for host, (user, _, password) in hosts.items()}
