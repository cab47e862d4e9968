"""Where S3 is, from the environment alone: a pure reading of variables and of what botocore's files say.

| what            | taken from, the first that is set                                                        |
|-----------------|------------------------------------------------------------------------------------------|
| endpoint        | AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile's services section, the profile's     |
|                 | endpoint_url; else Amazon's of the region. AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true:     |
|                 | Amazon's in any case                                                                     |
| region          | AWS_REGION, AWS_DEFAULT_REGION, the profile's region; else us-east-1                     |
| bucket's place  | in the host name (virtual) with Amazon, or if addressing_style says so; and if the name  |
|                 | fits a host and its certificate (no dots with https://) that is no address; else, or if  |
|                 | addressing_style says path: in the path                                                  |

https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit

from bulkput.errors import UsageError
from bulkput.policy.naming import is_base_url, without_query
from bulkput.record import frozen

FIRST_REGION = "us-east-1"
"""Every S3 knows it, or ignores it; Amazon answers with the bucket's own if that is another."""
_DOMAINS = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
}
"""Domains of the parts of AWS that do not end with amazonaws.com, by the start of their regions."""
_HOST_LABELS = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_DIRECTORY = re.compile(r".+--([a-z0-9-]+)--x-s3")
"""A directory bucket (S3 Express One Zone): its zone is in its name."""
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_REGION = re.compile(r"(?!-)(?![0-9]+$)[A-Za-z0-9-]{1,63}(?<!-)")
"""The label of a host's name that botocore takes, also for other stores."""
_STYLES = ("auto", "path", "virtual")
_TRUE = ("true", "1", "yes")


@frozen
class Settings:
    """Where requests go, and how they are addressed. `endpoint` is None with Amazon: it follows from the region."""

    region: str
    endpoint: str | None = None
    style: str = "auto"
    is_dual_stack: bool = False
    is_fips: bool = False
    ca_file: str | None = None

    @property
    def account(self) -> str:
        """What has the names of buckets: a server, or the part of AWS that the region is in."""
        return self.endpoint or _domain(self.region)

    def what_names(self, place: "Place") -> str:
        """What to check if nobody answers at the place, as text for people."""
        if self.endpoint is None:
            return "Amazon's host in the region of AWS_REGION or the profile; AWS_ENDPOINT_URL names another S3"
        by = "AWS_ENDPOINT_URL or endpoint_url in the profile names it"
        if place.host == _without_default_port(urlsplit(self.endpoint)):
            return by
        return f"{by}, and addressing_style = virtual puts the bucket into its name"

    @property
    def is_old_style(self) -> bool:
        """Whether the user has put buckets into the path at Amazon, as only those with names of old need it."""
        return self.endpoint is None and self.style == "path"

    @property
    def path_told(self) -> str:
        """What to add to a refusal if the endpoint has a path, which few stores have."""
        path = urlsplit(self.endpoint).path if self.endpoint is not None else ""
        return f" (AWS_ENDPOINT_URL has the path {path}: leave it out, unless the store needs it)" if path else ""

    def place_of(self, bucket: str, region: str) -> "Place":
        """Where the objects of the bucket are, if it is in this region."""
        if self.endpoint is not None:
            endpoint = urlsplit(self.endpoint)
            fits = self.style == "virtual" and _fits_host(bucket, endpoint) and not _is_address(endpoint.hostname or "")
            return self._addressed(bucket, endpoint, fits)
        domain = _domain(region)
        if (directory := _DIRECTORY.fullmatch(bucket)) is not None:
            host = f"s3express-{directory[1]}.{region}.{domain}"
            return Place("https", f"{bucket}.{host}", "", "s3express")
        service = ("s3-fips" if self.is_fips else "s3") + (".dualstack" if self.is_dual_stack else "")
        endpoint = urlsplit(f"https://{service}.{region}.{domain}")
        return self._addressed(bucket, endpoint, self.style != "path" and _fits_host(bucket, endpoint))

    def _addressed(self, bucket: str, endpoint: Any, is_virtual: bool) -> "Place":
        host, path = _without_default_port(endpoint), endpoint.path.rstrip("/")
        if not bucket:  # the service itself
            return Place(endpoint.scheme, host, path)
        if is_virtual:
            return Place(endpoint.scheme, f"{bucket}.{host}", path)
        return Place(endpoint.scheme, host, f"{path}/{quote(bucket, safe='~')}")


@frozen
class Place:
    """The URL of a bucket, in pieces; `path` has no slash at its end. `service` is what signatures name."""

    scheme: str
    host: str
    path: str
    service: str = "s3"

    @property
    def is_tls(self) -> bool:
        return self.scheme == "https"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}"

    @property
    def url(self) -> str:
        return self.origin + self.path


def is_directory_bucket(bucket: str) -> bool:
    """Its listings have no order, and its ETags are no MD5s."""
    return _DIRECTORY.fullmatch(bucket) is not None


def settings_of(environ: Mapping[str, str], profile: Mapping[str, Any], services: Mapping[str, Any]) -> Settings:
    """Apply the table above. `profile` is the profile of the configuration file, and `services` its section of that
    name. Raises UsageError."""
    of_s3 = profile.get("s3", {})
    of_s3 = of_s3 if isinstance(of_s3, Mapping) else {}
    endpoint = _endpoint(environ, profile, services)
    return Settings(
        region=_region(environ, profile, is_amazons=endpoint is None),
        endpoint=endpoint,
        style=_style(str(of_s3.get("addressing_style") or "auto")),
        is_dual_stack=_is_on(
            environ.get("AWS_USE_DUALSTACK_ENDPOINT"),
            profile.get("use_dualstack_endpoint"),
            of_s3.get("use_dualstack_endpoint"),
        ),
        is_fips=_is_on(environ.get("AWS_USE_FIPS_ENDPOINT"), profile.get("use_fips_endpoint")),
        ca_file=environ.get("AWS_CA_BUNDLE") or profile.get("ca_bundle"),
    )


def region_of(environ: Mapping[str, str]) -> str | None:
    """The region that variables name."""
    return next(filter(None, map(environ.get, _REGIONS)), None)


def _region(environ: Mapping[str, str], profile: Mapping[str, Any], *, is_amazons: bool) -> str:
    """The region, by the table above. Raises UsageError for a word that is none, and for a variable that is set and
    empty where Amazon would take another region for it: `--make-bucket` would make the bucket there."""
    given = {**{name: environ.get(name) for name in _REGIONS}, "the profile's region": profile.get("region")}
    for name, value in given.items():
        if value and _REGION.fullmatch(str(value)) is None:
            raise UsageError(f"{name}={str(value)!r} is no region: letters, digits and hyphens, as in eu-central-1")
        if value:
            return str(value)
    empty = next((name for name in _REGIONS if name in environ), None)
    if empty is not None and is_amazons:
        raise UsageError(f"{empty} is set and empty: name the bucket's region, or unset it")
    return FIRST_REGION


def _style(word: str) -> str:
    if word not in _STYLES:
        raise UsageError(f"addressing_style = {word!r} in the profile is not one of {', '.join(_STYLES)}")
    return word


def _fits_host(bucket: str, endpoint: Any) -> bool:
    """Whether the name can begin that of the host. A certificate for `*.HOST` does not cover one with dots."""
    return _HOST_LABELS.fullmatch(bucket) is not None and ("." not in bucket or endpoint.scheme == "http")


def _is_address(host: str) -> bool:
    """Whether the host is an address, which has no names below it."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _domain(region: str) -> str:
    return next((end for start, end in _DOMAINS.items() if region.startswith(start)), "amazonaws.com")


def _endpoint(environ: Mapping[str, str], profile: Mapping[str, Any], services: Mapping[str, Any]) -> str | None:
    if _is_on(environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), profile.get("ignore_configured_endpoint_urls")):
        return None
    of_service = services.get("s3", {})
    for name, value in (
        ("AWS_ENDPOINT_URL_S3", environ.get("AWS_ENDPOINT_URL_S3")),
        ("AWS_ENDPOINT_URL", environ.get("AWS_ENDPOINT_URL")),
        ("endpoint_url of s3", of_service.get("endpoint_url") if isinstance(of_service, Mapping) else None),
        ("endpoint_url", profile.get("endpoint_url")),
    ):
        if value:
            return _checked(name, str(value))
    return None


def _checked(name: str, url: str) -> str:
    if not is_base_url(url) or "@" in url or " " in url:
        shown = f"={without_query(url)!r}" if "@" not in url else ""  # there may be a password in it
        raise UsageError(f"{name}{shown} is no address of an S3: write http(s)://HOST[:PORT]")
    return url.rstrip("/")


def _without_default_port(endpoint: Any) -> str:
    host = str(endpoint.netloc)
    usual = ":443" if endpoint.scheme == "https" else ":80"
    return host.removesuffix(usual)


def _is_on(*values: object) -> bool:
    """Whether the first value that is given is a word for yes."""
    return next((str(value).lower() in _TRUE for value in values if value not in (None, "")), False)
