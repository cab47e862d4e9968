"""Finds the URL of the account in the service catalog that Keystone sends with a token. No I/O.

The catalog (Identity API v3, "Authentication and token management") is a list of services:

    [{"type": "object-store", "endpoints": [{"interface": "public", "region_id": "east", "url": "https://..."}]}]
"""

from collections.abc import Iterator
from typing import Any

from bulkput.errors import UsageError
from bulkput.policy.naming import is_base_url
from bulkput.record import frozen

SERVICE = "object-store"


@frozen
class Wanted:
    """Which endpoint of object-store is wanted."""

    interfaces: tuple[str, ...] = ("public",)
    """The first of them that the catalog has, in the region."""
    region: str | None = None
    """None: the first one of the catalog, as keystoneauth and rclone choose it."""

    def __str__(self) -> str:
        return f"with interface {' or '.join(self.interfaces)}" + (f" in region {self.region}" if self.region else "")


def storage_url(catalog: Any, wanted: Wanted) -> str:
    """The URL of the account, without a slash at its end. Raises UsageError, which names what the catalog has."""
    for interface in wanted.interfaces:
        for endpoint in _endpoints(catalog):
            if endpoint.get("interface") == interface and wanted.region in (None, _region(endpoint)):
                return _usable(endpoint.get("url"), wanted)
    raise UsageError(_what_is_there(catalog, wanted))


def account_url(fixed: str | None, catalog: Any, wanted: Wanted, project: Any) -> str:
    """The URL of the account: `fixed`, or that of the catalog. `fixed` may have `%(project_id)s`, as an
    `endpoint_override` of keystoneauth1; `project` is the token's. Raises UsageError."""
    if fixed is None:
        return storage_url(catalog, wanted)
    if "%(" not in fixed:
        return fixed
    identifier = project.get("id") if isinstance(project, dict) else None
    if not isinstance(identifier, str):
        raise UsageError(f"{fixed} needs a project, and the token is for none: set OS_PROJECT_NAME or OS_PROJECT_ID")
    url = fixed.replace("%(project_id)s", identifier)
    if "%(" in url:
        raise UsageError(f"{fixed}: only %(project_id)s is filled in: write the rest as it is")
    return url


def _usable(url: Any, wanted: Wanted) -> str:
    if not isinstance(url, str) or not is_base_url(url) or not url.isascii() or " " in url:
        raise UsageError(
            f"Keystone's catalog has no usable URL of {SERVICE} {wanted}: set OS_STORAGE_URL to the account's URL"
        )
    return url.rstrip("/")


def _what_is_there(catalog: Any, wanted: Wanted) -> str:
    services = sorted({str(service.get("type")) for service in _services(catalog)})
    if not services:
        return (
            "Keystone gave a token without a catalog, as it does without a project:"
            " set OS_PROJECT_NAME or OS_PROJECT_ID, or OS_STORAGE_URL to the account's URL"
        )
    if SERVICE not in services:
        return f"Keystone's catalog has no {SERVICE} for this project, only {', '.join(services)}"
    there = sorted({f"{endpoint.get('interface')} in {_region(endpoint)}" for endpoint in _endpoints(catalog)})
    return (
        f"Keystone's catalog has no {SERVICE} {wanted}; it has {', '.join(there) or 'no endpoint of it'}:"
        " set OS_REGION_NAME or OS_INTERFACE"
    )


def _services(catalog: Any) -> Iterator[dict[str, Any]]:
    yield from (service for service in _list(catalog) if isinstance(service, dict))


def _endpoints(catalog: Any) -> Iterator[dict[str, Any]]:
    for service in _services(catalog):
        if service.get("type") == SERVICE:
            yield from (endpoint for endpoint in _list(service.get("endpoints")) if isinstance(endpoint, dict))


def _region(endpoint: dict[str, Any]) -> str:
    """`region` is the older name of the field."""
    return str(endpoint.get("region_id") or endpoint.get("region") or "no region")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
