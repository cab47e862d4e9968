"""Logging in by Keystone in the ways that keystoneauth1 knows besides those of `keystone.py`: one-time passwords,
OpenID Connect, OAuth 2.0, several factors.

A plugin of keystoneauth1 makes the requests and reads the answers, in a thread. `_carrier` takes the requests out of
its hands, so that they go the way of all others: certificates, proxies, deadlines and masked secrets have one place.

The options of a plugin are the variables OS_NAME, as for `openstack`.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any, TypeVar

from bulkput.errors import BulkputError, Denied, UsageError
from bulkput.policy.headers import check_value
from bulkput.record import frozen
from bulkput.stores.reason import said
from bulkput.stores.status import error_from_response
from bulkput.stores.swift.catalog import Wanted, account_url
from bulkput.stores.swift.keystone import is_secret, place_of, refusal, scope_text
from bulkput.stores.swift.login import Ask, LoginRequest, Token
from bulkput.transport.base import Answer
from bulkput.transport.secrets import text_without_secrets, without_secrets

if TYPE_CHECKING:
    import requests
    from keystoneauth1.access import AccessInfo
    from keystoneauth1.identity.base import BaseIdentityPlugin
    from keystoneauth1.loading.opts import Opt

T = TypeVar("T")
Send = Callable[[LoginRequest], Answer]

_FOR_ONE_LOGIN = frozenset(("v3totp", "v3multifactor", "v3oidcauthcode"))
"""Their codes are not good for the next login."""
_NOT_HERE = frozenset(
    ("v3websso", "v3oidcdeviceauthz", "v3kerberos", "v3fedkerb", "v3adfspassword", "v3samlpassword", "v3oauth1")
)
"""They need a browser, cookies, or a signature of each request by another library."""
_INSTEAD = "`openstack token issue` gives a token to set as OS_TOKEN with OS_AUTH_TYPE=v3token"
_NOT_CARRIED = frozenset(("content-length", "user-agent", "accept-encoding", "connection"))
"""Fields that the transport sends itself, or does not understand answers to."""


@frozen
class KeystoneauthLogin:
    auth_url: str
    auth_type: str
    values: Mapping[str, str] = field(repr=False)
    """All OS_* variables."""
    scope: Mapping[str, Any] | None
    """For `place`. The plugin takes its own out of `values`."""
    wanted: Wanted = Wanted()
    storage_url: str | None = None
    given: Token | None = None

    @property
    def url(self) -> str:
        return self.auth_url

    @property
    def user(self) -> str:
        names = ("OS_USERNAME", "OS_USER_ID", "OS_CLIENT_ID", "OS_OAUTH2_CLIENT_ID")
        return next((self.values[name] for name in names if name in self.values), self.auth_type)

    @property
    def is_one_of_many(self) -> bool:
        return True

    @property
    def place(self) -> str:
        names = () if self.scope is not None else ("OS_USER_DOMAIN_ID", "OS_USER_DOMAIN_NAME")
        domain = next((f" of {self.values[name]}" for name in names if name in self.values), "")
        owner = f"{self.user}{domain}{scope_text(self.scope)}"
        return place_of(owner, self.auth_url, self.wanted, self.storage_url)

    @property
    def cannot_renew(self) -> str | None:
        if self.renews_ahead:
            return None
        return (
            f"the token has expired, and the code of OS_AUTH_TYPE={self.auth_type} was good for one login;"
            " an application credential needs no code"
        )

    @property
    def renews_ahead(self) -> bool:
        return self.auth_type not in _FOR_ONE_LOGIN

    async def token(self, ask: Ask) -> Token:
        return await _in_a_thread(self._logged_in, ask)

    def _logged_in(self, send: Send) -> Token:
        """Log in by the plugin, which sends its requests by `send`. Blocks."""
        last: list[tuple[LoginRequest, Answer]] = []

        def noted(request: LoginRequest) -> Answer:
            last[:] = [(request, send(request))]
            return last[0][1]

        plugin = self._plugin()
        from keystoneauth1 import exceptions  # noqa: PLC0415 - 0.1 s, and an extra
        from keystoneauth1.session import Session  # noqa: PLC0415

        try:
            return self._token(plugin.get_access(Session(session=_carrier(noted, self._secrets), redirect=False)))
        except BulkputError as error:
            raise error.with_traceback(None) from None  # that of the plugin has variables with secrets
        except exceptions.HttpError:
            raise self._refusal(*last[0]) from None
        except exceptions.ClientException as error:
            raise self._wrong(str(error)) from None
        except Exception as error:  # noqa: BLE001 - plugins read answers unchecked: a KeyError is a wrong answer
            url = last[0][0].url if last else self.auth_url
            raise self._wrong(f"{url} does not answer as it should ({type(error).__name__}: {error})") from None

    def _token(self, access: "AccessInfo") -> Token:
        """Raises UsageError, and what keystoneauth1 raises if it cannot read an answer."""
        if not access.auth_token:
            raise self._wrong(f"{self.auth_url} gives no token")
        catalog, project = access.service_catalog.catalog, {"id": access.project_id}
        url = account_url(self.storage_url, catalog, self.wanted, project)
        return Token(url, access.auth_token, _lives_s(access))

    def _plugin(self) -> "BaseIdentityPlugin":
        if self.auth_type in _NOT_HERE:
            raise UsageError(f"OS_AUTH_TYPE={self.auth_type} is not supported: {_INSTEAD}")
        try:
            from keystoneauth1 import exceptions, loading  # noqa: PLC0415 - 0.1 s, and an extra
            from keystoneauth1.identity.base import BaseIdentityPlugin  # noqa: PLC0415
        except ImportError:
            raise UsageError(
                f"OS_AUTH_TYPE={self.auth_type} needs keystoneauth1, which is not installed:"
                " pip install 'bulkput[keystone]'"
            ) from None
        for name in ("keystoneauth", "stevedore"):  # else their warnings go to stderr, where nobody has asked for any
            if not (logger := logging.getLogger(name)).handlers:
                logger.addHandler(logging.NullHandler())
        methods = [method.strip() for method in self.values.get("OS_AUTH_METHODS", "").split(",") if method.strip()]
        try:
            loader: Any = loading.get_plugin_loader(self.auth_type)
            if hasattr(loader, "_methods"):  # v3multifactor: then it knows the options of its methods
                loader._methods = methods
            options = loader.get_options()
            # Only what is set: an option that is passed as None has no default (access_token_type).
            given = {option.dest: option.type(text) for option in options if (text := self._text(option)) is not None}
            # What `openstack` would ask for on the terminal is required, too.
            missing = [each for each in options if (each.required or each.prompt) and each.dest not in given]
            if missing:
                names = ", ".join(_variable(option.name) for option in missing)
                raise UsageError(f"OS_AUTH_TYPE={self.auth_type} needs {names}")
            plugin = loader.load_from_options(**given | ({"auth_methods": methods} if methods else {}))
        except exceptions.NoMatchingPlugin as error:
            known = sorted(name for name in loading.get_available_plugin_names() if name.startswith("v3"))
            raise UsageError(f"keystoneauth1 does not know {error.name}; there are {', '.join(known)}") from None
        except (exceptions.ClientException, TypeError) as error:
            raise self._wrong(str(error)) from None
        if not isinstance(plugin, BaseIdentityPlugin):
            raise UsageError(f"OS_AUTH_TYPE={self.auth_type} gives no token, which Swift needs")
        return plugin

    def _text(self, option: "Opt") -> str | None:
        names = (option.name, option.dest, *(old.name for old in option.deprecated))
        name = next((name for name in map(_variable, names) if name in self.values), None)
        return check_value(self.values[name], what=name, is_secret=is_secret(name)) if name is not None else None

    @property
    def _secrets(self) -> dict[str, str]:
        """Of all variables, since plugins use them as they like."""
        return {name: value for name, value in self.values.items() if is_secret(name)}

    def _refusal(self, request: LoginRequest, answer: Answer) -> BulkputError:
        """Not every answer is Keystone's: identity providers have their own addresses, and say 400 for 401."""
        for secret in self._secrets.values():
            answer = without_secrets(answer, {"X-Auth-Key": secret})
        hint = f"check {', '.join(self._secrets) or 'OS_AUTH_TYPE'}"
        if request.url.endswith("/auth/tokens"):
            return refusal(answer, self.auth_url, self.user, hint)
        if answer.status in (400, 401, 403):
            why = said(answer.status, answer.reason, answer.body)
            detail = f"refused by {request.url}: {hint}" + (f" ({why})" if why else "")
            return Denied("login", self.user, detail, status=answer.status)
        if answer.status in (404, 405):
            named = ", ".join(name for name, text in self.values.items() if _is_part(text, request.url))
            return UsageError(f"{request.url} is not there ({answer.status}): check {named or 'OS_AUTH_URL'}")
        return error_from_response("login", request.url, answer)

    def _wrong(self, why: str) -> UsageError:
        for secret in self._secrets.values():
            why = text_without_secrets(why, {"X-Auth-Key": secret})
        return UsageError(f"cannot log in by OS_AUTH_TYPE={self.auth_type}: {' '.join(why.split())}")


def _lives_s(access: "AccessInfo") -> float | None:
    """None if Keystone does not say, or not so that keystoneauth1 can read it."""
    with suppress(KeyError, ValueError, TypeError, AttributeError):
        expires, issued = access.expires, access.issued
        return (expires - issued).total_seconds() if expires is not None and issued is not None else None
    return None


def _variable(option: str) -> str:
    return f"OS_{option.upper().replace('-', '_')}"


def _is_part(text: str, url: str) -> bool:
    return url.startswith(text) or text in url.split("/")


def _carrier(send: Send, secrets: Mapping[str, str]) -> "requests.Session":
    """A session of requests that has no connection of its own. Redirects, cookies and .netrc are not its affair."""
    import requests  # noqa: PLC0415 - keystoneauth1 brings it

    class Carrier(requests.adapters.BaseAdapter):
        def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
            body = request.body.encode() if isinstance(request.body, str) else request.body
            fields = {name: text for name, text in request.headers.items() if name.lower() not in _NOT_CARRIED}
            longest = max(secrets.values(), key=len, default="")
            answer = send(LoginRequest(request.method or "GET", request.url or "", fields, body, longest))
            response = requests.Response()
            response.status_code, response.reason, response._content = answer.status, answer.reason, answer.body
            response.headers.update(answer.headers)
            response.request, response.url = request, request.url or ""
            return response

        def close(self) -> None:
            """There is nothing to close."""

    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, Carrier())
    return session


async def _in_a_thread(talk: Callable[[Send], T], ask: Ask) -> T:
    """Run `talk(send)` in a thread, and send its requests from here. If this is cancelled, the thread's present or next
    request raises CancelledError there, so that it ends."""
    loop = asyncio.get_running_loop()
    requests: asyncio.Queue[tuple[LoginRequest, Future[Answer]] | None] = asyncio.Queue()
    is_over, present = False, Future[Answer]()

    def arrived(request: LoginRequest, answer: Future[Answer]) -> None:
        nonlocal present
        present = answer  # the thread waits for it, so there is no other
        requests.put_nowait((request, answer))
        if is_over:
            answer.cancel()

    def send(request: LoginRequest) -> Answer:
        answer = Future[Answer]()
        loop.call_soon_threadsafe(arrived, request, answer)
        return answer.result()

    def ended(_: asyncio.Future[T]) -> None:
        requests.put_nowait(None)
        if not talking.cancelled():
            talking.exception()  # seen, though perhaps nobody waits any more

    talking = loop.run_in_executor(None, talk, send)
    talking.add_done_callback(ended)
    try:
        while (asked := await requests.get()) is not None:
            request, answer = asked
            try:
                answer.set_result(await ask(request))
            except BulkputError as error:
                answer.set_exception(error)
        return talking.result()
    finally:
        is_over = True
        present.cancel()  # of no effect on one that is answered
