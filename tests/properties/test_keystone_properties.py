"""keystoneauth1 is the judge: from the same variables it sends what our login sends, and finds the same endpoint."""

import json
from collections.abc import Coroutine, Mapping
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keystoneauth1 import loading
from keystoneauth1.access.service_catalog import ServiceCatalogV3
from keystoneauth1.exceptions import AuthorizationFailure, EndpointNotFound
from keystoneauth1.identity.v3 import Token
from keystoneauth1.session import Session as KeystoneSession

from bulkput.errors import UsageError
from bulkput.stores.swift.catalog import SERVICE, Wanted, account_url, storage_url
from bulkput.stores.swift.keystone_variables import keystone_login
from bulkput.stores.swift.login import LoginRequest
from bulkput.transport.base import Answer

Environ = dict[str, str]
TEXTS = st.sampled_from(["a", "b c", "Grüße", "{}", '"', "0"])
ROOTS = st.sampled_from(["http://keystone:5000", "https://cloud.example/identity", "https://cloud.example/a/b"])
OLD_NAMES = {"project-id": "tenant-id", "project-name": "tenant-name"}
"""`openstack` knows these variables by itself (osc_lib/api/auth.py); in keystoneauth1 only the plugins for v2.0 do."""


def some(*names: str) -> st.SearchStrategy[Environ]:
    """Any of these variables."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, TEXTS))


def merged(*parts: st.SearchStrategy[Environ]) -> st.SearchStrategy[Environ]:
    return st.tuples(*parts).map(lambda dicts: {name: text for each in dicts for name, text in each.items()})


URL = st.builds(lambda root, end: {"OS_AUTH_URL": root + end}, ROOTS, st.sampled_from(["", "/", "/v3", "/v3/"]))
USER = merged(
    st.sampled_from([("OS_USERNAME",), ("OS_USER_ID",), ("OS_USERNAME", "OS_USER_ID")]).flatmap(
        lambda names: st.fixed_dictionaries(dict.fromkeys(names, TEXTS))
    ),
    some("OS_USER_DOMAIN_ID", "OS_USER_DOMAIN_NAME"),
)
PROJECT = merged(
    some("OS_PROJECT_ID", "OS_PROJECT_NAME", "OS_TENANT_ID", "OS_TENANT_NAME"),
    some("OS_PROJECT_DOMAIN_ID", "OS_PROJECT_DOMAIN_NAME"),
)
SCOPE = st.one_of(
    PROJECT,
    some("OS_DOMAIN_ID", "OS_DOMAIN_NAME"),
    st.fixed_dictionaries({"OS_TRUST_ID": TEXTS}),
    st.just({"OS_SYSTEM_SCOPE": "all"}),
)
PASSWORD = merged(URL, USER, SCOPE, st.fixed_dictionaries({"OS_PASSWORD": TEXTS}))
CREDENTIAL = merged(
    URL,
    USER,
    st.sampled_from(["ID", "NAME"]).flatmap(
        lambda form: st.fixed_dictionaries({f"OS_APPLICATION_CREDENTIAL_{form}": TEXTS})
    ),
    st.fixed_dictionaries({"OS_APPLICATION_CREDENTIAL_SECRET": TEXTS}),
)
TOKEN = merged(URL, SCOPE, st.fixed_dictionaries({"OS_TOKEN": TEXTS, "OS_AUTH_TYPE": st.just("v3token")}))
"""Without a type, one of the other two credentials, if it is there, comes first."""


class SentError(Exception):
    """A request that was to be sent: its URL and its document."""

    def __init__(self, url: str, document: Any) -> None:
        super().__init__(url, document)
        self.sent = url, document


class Session:
    """What a plugin of keystoneauth1 has for a session: the first request ends the login."""

    def post(self, url: str, json: Any, **_: Any) -> NoReturn:
        raise SentError(url, json)


def sent_by_keystoneauth(environ: Mapping[str, str], plugin: str) -> tuple[str, Any]:
    """Its loader finds the options of `plugin` among the variables, as `openstack` does."""

    def option(option: Any) -> str | None:
        names = (option.name, *(old.name for old in option.deprecated), OLD_NAMES.get(option.name, option.name))
        return next(filter(None, (environ.get(f"OS_{name.upper().replace('-', '_')}") for name in names)), None)

    with pytest.raises(SentError) as caught:
        loading.get_plugin_loader(plugin).load_from_options_getter(option).get_auth_ref(Session())
    return caught.value.sent


def sent_by_us(environ: Mapping[str, str]) -> tuple[str, Any]:
    async def ask(request: LoginRequest) -> Answer:
        raise SentError(request.url, json.loads(request.body or b""))

    with pytest.raises(SentError) as caught:
        run(keystone_login(environ).token(ask))
    return caught.value.sent


def run(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Nothing in it waits."""
    with pytest.raises(StopIteration):
        coroutine.send(None)


def with_domains(environ: Environ, *needed: tuple[str, str]) -> Environ:
    """Adds the domain `default` to each of `needed` that names none: see below."""
    missing = (
        prefix for name, prefix in needed if name in environ and not environ.keys() & {f"{prefix}_ID", f"{prefix}_NAME"}
    )
    return environ | {f"{prefix}_ID": "default" for prefix in missing}


USER_DOMAIN = (("OS_USERNAME", "OS_USER_DOMAIN"), ("OS_USER_ID", "OS_USER_DOMAIN"))
PROJECT_DOMAIN = (("OS_PROJECT_NAME", "OS_PROJECT_DOMAIN"), ("OS_TENANT_NAME", "OS_PROJECT_DOMAIN"))


@given(PASSWORD)
def test_a_password_login_sends_what_keystoneauth_sends(environ: Environ) -> None:
    """URL and document. Only that a name without a domain is in the domain `default`, as for `openstack`."""
    explicit = with_domains(environ, *USER_DOMAIN, *PROJECT_DOMAIN)
    assert sent_by_us(environ) == sent_by_keystoneauth(explicit, "v3password")


@given(CREDENTIAL)
def test_an_application_credential_sends_what_keystoneauth_sends(environ: Environ) -> None:
    """By its ID, or by its name and the user's. It is found without OS_AUTH_TYPE, too."""
    explicit = with_domains(environ, *USER_DOMAIN)
    expected = sent_by_keystoneauth(explicit, "v3applicationcredential")
    assert sent_by_us(environ) == sent_by_us(environ | {"OS_AUTH_TYPE": "v3applicationcredential"}) == expected


@given(TOKEN)
def test_a_token_sends_what_keystoneauth_sends(environ: Environ) -> None:
    assert sent_by_us(environ) == sent_by_keystoneauth(with_domains(environ, *PROJECT_DOMAIN), "v3token")


@pytest.mark.parametrize(
    ("scopes", "sent"),
    [
        ({"OS_TRUST_ID": "t", "OS_PROJECT_ID": "p"}, {"OS-TRUST:trust": {"id": "t"}}),
        ({"OS_PROJECT_ID": "p", "OS_DOMAIN_ID": "d"}, {"project": {"id": "p"}}),
        ({"OS_DOMAIN_ID": "d", "OS_SYSTEM_SCOPE": "all"}, {"domain": {"id": "d"}}),
    ],
)
def test_of_several_scopes_the_narrowest_is_taken(scopes: Environ, sent: Any) -> None:
    """keystoneauth refuses several. An openrc for projects and a domain's variable of another tool are no conflict."""
    environ = {"OS_AUTH_URL": "http://k", "OS_USERNAME": "u", "OS_USER_DOMAIN_ID": "d", "OS_PASSWORD": "p", **scopes}
    with pytest.raises(AuthorizationFailure, match="multiple targets"):
        loading.get_plugin_loader("v3password").load_from_options(
            **{name.removeprefix("OS_").lower(): text for name, text in environ.items()}
        ).get_auth_ref(Session())
    assert sent_by_us(environ)[1]["auth"]["scope"] == sent


INTERFACES = st.sampled_from(["public", "internal", "admin"])
REGIONS = st.sampled_from(["east", "west"])
URLS = st.sampled_from(
    ["http://a/v1/AUTH_p", "https://b:8080/v1/AUTH_p", "http://c/swift/v1", "http://[::1]/v1/AUTH_p"]
)
ENDPOINTS = st.fixed_dictionaries(
    {"interface": INTERFACES, "url": URLS}, optional={"region_id": REGIONS, "region": REGIONS, "id": TEXTS}
)
SERVICES = st.fixed_dictionaries(
    {"type": st.sampled_from([SERVICE, "compute", "s3"]), "endpoints": st.lists(ENDPOINTS, max_size=4)},
    optional={"name": TEXTS, "id": TEXTS},
)
WANTED = st.builds(Wanted, st.lists(INTERFACES, min_size=1, max_size=3, unique=True).map(tuple), st.none() | REGIONS)


@given(st.lists(SERVICES, max_size=4), WANTED)
def test_the_catalog_gives_the_endpoint_that_keystoneauth_finds(catalog: list[dict[str, Any]], wanted: Wanted) -> None:
    """Interfaces in their order of preference, a region or the first one; or neither finds one."""
    try:
        expected = ServiceCatalogV3(catalog).url_for(SERVICE, list(wanted.interfaces), wanted.region)
    except EndpointNotFound:
        with pytest.raises(UsageError):
            storage_url(catalog, wanted)
    else:
        assert storage_url(catalog, wanted) == expected


@pytest.mark.parametrize(
    ("url", "ours"), [("http://a/v1/AUTH_p/", "http://a/v1/AUTH_p"), ("ftp://a/", None), ("", None), (None, None)]
)
def test_an_url_that_is_none_is_an_error_of_the_catalog(url: str | None, ours: str | None) -> None:
    """keystoneauth passes on what is there, and passes over what is not. A slash at the end would be doubled."""
    catalog = [{"type": SERVICE, "endpoints": [{"interface": "public", "url": url}]}]
    if url:
        assert ServiceCatalogV3(catalog).url_for(SERVICE) == url
    if ours is not None:
        assert storage_url(catalog, Wanted()) == ours
        return
    with pytest.raises(UsageError, match="no usable URL of object-store"):
        storage_url(catalog, Wanted())


def test_an_override_is_filled_in_as_by_keystoneauth() -> None:
    """An `endpoint_override` may have the project's ID."""
    override = "http://a/v1/AUTH_%(project_id)s"

    class Http:
        def request(self, _method: str, url: str, **_: Any) -> NoReturn:
            raise SentError(url, None)

    class OfProject(Token):
        def get_project_id(self, session: object) -> str:
            return "p"

    session: Any = KeystoneSession(OfProject("http://k", "t"), session=Http())  # type: ignore[arg-type]
    with pytest.raises(SentError) as caught:
        session.get("/", endpoint_override=override, authenticated=False)
    assert account_url(override, None, Wanted(), {"id": "p"}) + "/" == caught.value.sent[0] == "http://a/v1/AUTH_p/"
    with pytest.raises(UsageError, match="needs a project"):
        account_url(override, None, Wanted(), None)
