"""What OS_* variables say about a login by Keystone v3. Pure.

| OS_AUTH_TYPE                     | credentials                                                                       |
|----------------------------------|-----------------------------------------------------------------------------------|
| password, v3password             | OS_USERNAME or OS_USER_ID, OS_PASSWORD                                            |
| v3applicationcredential          | OS_APPLICATION_CREDENTIAL_ID, or _NAME with the user; _SECRET                     |
| token, v3token                   | OS_TOKEN or OS_AUTH_TOKEN                                                         |
| not set                          | the first of: application credential, password, token whose secret is set         |
| another (v3totp, v3oidc...)      | those of keystoneauth1's plugin: see `keystoneauth.py`                            |

A user or project that is named by its name is in the domain OS_USER_DOMAIN_NAME or _ID, OS_PROJECT_DOMAIN_NAME or _ID,
OS_DEFAULT_DOMAIN, or else `default`, as for python-openstackclient and python-swiftclient.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from bulkput.errors import UsageError
from bulkput.policy.headers import check_value
from bulkput.stores.swift.catalog import Wanted
from bulkput.stores.swift.environment import base_url
from bulkput.stores.swift.keystone import Credentials, KeystoneLogin, is_secret, root_of
from bulkput.stores.swift.login import Login, Token

_BY_CREDENTIAL = "OS_APPLICATION_CREDENTIAL_SECRET"
_KINDS = {
    "": "",
    "password": "password",
    "v3password": "password",
    "v3applicationcredential": "application credential",
    "token": "token",
    "v3token": "token",
}
_INTERFACES = ("public", "internal", "admin")


def keystone_login(environ: Mapping[str, str], *, storage_url: str | None = None, given: Token | None = None) -> Login:
    """The login by `OS_AUTH_URL`. Raises UsageError: what is missing or wrong."""
    values = _Variables(environ)
    auth_url = base_url("OS_AUTH_URL", values["OS_AUTH_URL"])
    version = values.get("OS_IDENTITY_API_VERSION", "3")
    if not version.startswith("3"):
        raise UsageError(
            f"OS_IDENTITY_API_VERSION={version}: Keystone v2.0 was removed in OpenStack Queens (2018), bulkput speaks"
            " version 3: unset the variable, or set it to 3"
        )
    root_of(auth_url)
    wanted = Wanted(_interfaces(values), values.get("OS_REGION_NAME"))
    override = values.get("OS_OBJECT_STORE_ENDPOINT_OVERRIDE")
    if storage_url is None and override is not None:
        storage_url = base_url("OS_OBJECT_STORE_ENDPOINT_OVERRIDE", override)
    auth_type = _auth_type(values)
    if auth_type in _KINDS:
        return KeystoneLogin(auth_url, credentials(values), wanted, storage_url, given)
    from bulkput.stores.swift.keystoneauth import KeystoneauthLogin  # noqa: PLC0415 - few need it

    return KeystoneauthLogin(auth_url, auth_type, _for_plugins(values), _scope(values), wanted, storage_url, given)


class _Variables(Mapping[str, str]):
    """The variables of OpenStack. An empty one counts as not set, as for its clients. Each is checked when it is read:
    what a login does not read may be anything."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.unchecked = {name: value for name, value in environ.items() if name.startswith("OS_") and value}

    def __getitem__(self, name: str) -> str:
        """Raises UsageError if the value cannot be sent."""
        return check_value(self.unchecked[name], what=name, is_secret=is_secret(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self.unchecked)

    def __len__(self) -> int:
        return len(self.unchecked)


def _for_plugins(values: _Variables) -> dict[str, str]:
    """The variables with what plugins do not know: OS_TENANT_*, and the default domain of names."""
    found = dict(values.unchecked)
    for form in ("ID", "NAME"):
        if tenant := values.get(f"OS_TENANT_{form}"):
            found.setdefault(f"OS_PROJECT_{form}", tenant)
    for name, prefix in (("OS_USERNAME", "OS_USER_DOMAIN"), ("OS_PROJECT_NAME", "OS_PROJECT_DOMAIN")):
        if name in found:
            found.update({f"{prefix}_{form.upper()}": text for form, text in _domain(values, prefix).items()})
    return found


def _auth_type(values: Mapping[str, str]) -> str:
    """Raises UsageError if it is not one of Keystone v3."""
    auth_type = values.get("OS_AUTH_TYPE", "").lower()
    if auth_type == "v1password":
        raise UsageError("OS_AUTH_TYPE=v1password is v1 auth: set ST_AUTH, ST_USER and ST_KEY")
    if auth_type.startswith("v2"):
        raise UsageError(
            f"OS_AUTH_TYPE={auth_type}: Keystone v2.0 was removed in OpenStack Queens (2018);"
            f" set it to v3{auth_type[2:]}, and OS_AUTH_URL to the address that ends in /v3"
        )
    return auth_type


def credentials(values: Mapping[str, str]) -> Credentials:
    """The credentials that the variables have. Raises UsageError: what is missing."""
    kind = _KINDS[_auth_type(values)]
    token = values.get("OS_TOKEN") or values.get("OS_AUTH_TOKEN")
    if kind == "application credential" or (not kind and _BY_CREDENTIAL in values):
        return _application_credential(values)
    if kind == "token" or (not kind and token and "OS_PASSWORD" not in values):
        return _token(values, token)
    return _password(values)


def _password(values: Mapping[str, str]) -> Credentials:
    missing = [] if values.keys() & {"OS_USERNAME", "OS_USER_ID"} else ["OS_USERNAME"]
    if "OS_PASSWORD" not in values:
        missing.append("OS_PASSWORD")
    if missing:
        raise UsageError(
            f"OS_AUTH_URL is set, and {' and '.join(missing)} not: a login by Keystone wants OS_USERNAME, OS_PASSWORD"
            " and OS_PROJECT_NAME, or OS_APPLICATION_CREDENTIAL_ID and _SECRET, or OS_TOKEN"
        )
    secret, scope = values["OS_PASSWORD"], _scope(values)
    checks = ["OS_USER_ID" if "OS_USER_ID" in values else "OS_USERNAME", "OS_PASSWORD"]
    if "OS_USER_ID" not in values:
        checks.append("OS_USER_DOMAIN_NAME")
    checks += _scope_variables(values)
    identity = {"methods": ["password"], "password": {"user": {"password": secret, **_user(values)}}}
    return Credentials(_user_name(values), identity, secret, f"check {_listed(checks)}", scope)


def _application_credential(values: Mapping[str, str]) -> Credentials:
    identifier, name = values.get("OS_APPLICATION_CREDENTIAL_ID"), values.get("OS_APPLICATION_CREDENTIAL_NAME")
    missing = [] if identifier or name else ["OS_APPLICATION_CREDENTIAL_ID"]
    if _BY_CREDENTIAL not in values:
        missing.append(_BY_CREDENTIAL)
    if not identifier and not values.keys() & {"OS_USERNAME", "OS_USER_ID"} and name:
        missing.append("OS_USERNAME")
    if missing:
        raise UsageError(
            f"{' and '.join(missing)} not set: an application credential has an ID, or a name and its user,"
            " and a secret"
        )
    secret = values[_BY_CREDENTIAL]
    named = {"id": identifier} if identifier else {"name": name, "user": _user(values)}
    identity = {"methods": ["application_credential"], "application_credential": {"secret": secret, **named}}
    hint = (
        f"check OS_APPLICATION_CREDENTIAL_{'ID' if identifier else 'NAME'} and _SECRET;"
        " it may have expired, or was removed"
    )
    # No scope: the credential has its own project, and Keystone refuses another.
    return Credentials(f"application credential {identifier or name}", identity, secret, hint)


def _token(values: Mapping[str, str], token: str | None) -> Credentials:
    if not token:
        raise UsageError("OS_TOKEN not set: `openstack token issue` prints one")
    identity = {"methods": ["token"], "token": {"id": token}}
    hint = f"check OS_TOKEN, which may have expired, and {_listed(_scope_variables(values) or ['OS_PROJECT_NAME'])}"
    return Credentials("OS_TOKEN", identity, token, hint, _scope(values), renews_ahead=False)


def _user(values: Mapping[str, str]) -> dict[str, Any]:
    if identifier := values.get("OS_USER_ID"):
        return {"id": identifier}
    return {"name": values["OS_USERNAME"], "domain": _domain(values, "OS_USER_DOMAIN")}


def _user_name(values: Mapping[str, str]) -> str:
    return values.get("OS_USERNAME") or values["OS_USER_ID"]


def _scope(values: Mapping[str, str]) -> dict[str, Any] | None:
    """What the token is for, by the first that is set. OS_TENANT_* are the names of OS_PROJECT_* before 2014."""
    if trust := values.get("OS_TRUST_ID"):
        return {"OS-TRUST:trust": {"id": trust}}
    if identifier := values.get("OS_PROJECT_ID") or values.get("OS_TENANT_ID"):
        return {"project": {"id": identifier}}
    if name := values.get("OS_PROJECT_NAME") or values.get("OS_TENANT_NAME"):
        return {"project": {"name": name, "domain": _domain(values, "OS_PROJECT_DOMAIN")}}
    if values.keys() & {"OS_DOMAIN_ID", "OS_DOMAIN_NAME"}:
        return {"domain": _domain(values, "OS_DOMAIN")}
    if values.get("OS_SYSTEM_SCOPE") == "all":
        return {"system": {"all": True}}
    return None


def _scope_variables(values: Mapping[str, str]) -> list[str]:
    """The variables that the scope is from, for hints."""
    if "OS_TRUST_ID" in values:
        return ["OS_TRUST_ID"]
    if name := next((name for name in ("OS_PROJECT_ID", "OS_TENANT_ID") if name in values), None):
        return [name]
    return ["OS_PROJECT_NAME", "OS_PROJECT_DOMAIN_NAME"]


def _domain(values: Mapping[str, str], prefix: str) -> dict[str, str]:
    for form in ("ID", "NAME"):
        if value := values.get(f"{prefix}_{form}"):
            return {form.lower(): value}
    for form in ("ID", "NAME"):
        if value := values.get(f"OS_DEFAULT_DOMAIN_{form}"):
            return {form.lower(): value}
    return {"id": values.get("OS_DEFAULT_DOMAIN", "default")}


def _interfaces(values: Mapping[str, str]) -> tuple[str, ...]:
    """`public` of both `public` and the older `publicURL`. Several are in the order in which they are tried."""
    text = values.get("OS_INTERFACE") or values.get("OS_ENDPOINT_TYPE") or "public"
    interfaces = tuple(word.strip().removesuffix("URL").lower() for word in text.split(","))
    if not set(interfaces) <= set(_INTERFACES):
        raise UsageError(f"OS_INTERFACE={text}: it is one of {', '.join(_INTERFACES)}, or several with commas")
    return interfaces


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
