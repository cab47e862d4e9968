"""OS_CLOUD: a cloud of clouds.yaml, as variables that say the same.

openstacksdk's loader puts a cloud together out of clouds.yaml, secure.yaml (secrets apart) and a vendor's profile
(clouds-public.yaml, one that openstacksdk knows, or the address of one). Its import takes 0.2 s, so it is imported only
if OS_CLOUD is set, in a thread. A setting KEY becomes the variable OS_KEY, as the loader reads variables, too.

Other OS_* and ST_* variables do not count beside OS_CLOUD, as for openstacksdk. `openstack` mixes them in, and so sends
a cloud's password to the host of OS_AUTH_URL. OS_REGION_NAME and OS_INTERFACE choose within the cloud, as there.

The loader passes over a file that is not YAML. Here that is an error: the next file may have another cloud of that
name. So files are read here first; that also finds the clouds that a message names.
"""

import json
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from bulkput.errors import StoreGone, UsageError, printable
from bulkput.options import WireOptions
from bulkput.policy.nearest import did_you_mean
from bulkput.record import frozen
from bulkput.stores.swift.environment import CLOUD_FILE
from bulkput.transport.secrets import text_without_secrets

if TYPE_CHECKING:
    from openstack.config.cloud_region import CloudRegion

_NAMED_BY = {"clouds": "OS_CLIENT_CONFIG_FILE", "secure": "OS_CLIENT_SECURE_FILE"}
_SUFFIXES = (".yaml", ".yml", ".json")
_HAS_OWN_PLACES = sys.platform in ("darwin", "win32")
"""On these systems, programs keep their files in other directories."""
_ABOUT_A_PROFILE = frozenset(("message", "status"))
_SECRET = re.compile("password|secret|token|passcode")
_MOST = 12
"""Clouds that a message names."""


def of_cloud(environ: Mapping[str, str], wire: WireOptions) -> tuple[dict[str, str], WireOptions]:
    """The environment with the settings of its OS_CLOUD in place of other OS_* and ST_*, and `wire` with the cloud's
    certificates where it names none.

    Blocks: it imports, reads files, and may fetch a profile. Raises UsageError: what is missing or wrong, and where;
    StoreGone if a profile cannot be fetched.
    """
    name, search = environ["OS_CLOUD"], _Search.of(environ)
    config, secure = search.first("clouds"), search.first("secure")
    if config is None:
        raise UsageError(f"OS_CLOUD={name}, and there is no clouds.yaml; looked for {search.told('clouds')}")
    if name not in (known := {**_clouds_of(config), **_clouds_of(secure)}):
        raise UsageError(f"no cloud {name!r} in {config}{_meant(name, [*map(str, known)])}")
    region, public = environ.get("OS_REGION_NAME", ""), search.first("clouds-public")
    _check_trust(name, search, config, secure, public)
    cloud, settings, certificates = _loaded(name, region, config, [secure, public])
    kept = {key: value for key, value in environ.items() if not key.startswith(("OS_", "ST_"))}
    chosen = {key: environ[key] for key in ("OS_REGION_NAME", "OS_INTERFACE") if environ.get(key)}
    variables = {**settings, **chosen, "OS_CLOUD": name, CLOUD_FILE: str(config)}
    if "OS_AUTH_URL" not in variables:
        profile = cloud.config.get("profile")
        raise UsageError(
            f"cloud {name} of {config} has no auth_url" + (f", nor is its profile {profile!r} known" if profile else "")
        )
    return {**kept, **variables}, _with_certificates(wire, *certificates)


def _check_trust(name: str, search: "_Search", config: "_File", secure: "_File | None", public: "_File | None") -> None:
    """Raises UsageError if a file of the working directory, which may be a stranger's clone, would meet the secrets of
    another place: it could have them sent to an address of its own. openstacksdk puts them together.
    """
    mine = _clouds_of(config).get(name)
    profile = mine.get("profile") or mine.get("cloud") if isinstance(mine, dict) else None
    vendors = public.data.get("public-clouds") if public is not None and isinstance(public.data, dict) else None
    with_secrets = [config, *([secure] if secure is not None and name in _clouds_of(secure) else [])]
    used = [*with_secrets, *([public] if public is not None and profile in (vendors or {}) else [])]
    here = next((file for file in used if search.is_found_here(file)), None)
    there = next((file for file in with_secrets if os.path.dirname(os.path.abspath(file.path)) != os.getcwd()), None)
    if here is not None and there is not None:
        raise UsageError(
            f"cloud {name} would be put together of {here}, in the working directory, and of {there}: keep both in one"
            f" place, or name those that you trust by {' and '.join(_NAMED_BY.values())}"
        )


@frozen
class _File:
    path: str
    data: Any = field(repr=False)

    def __str__(self) -> str:
        return printable(self.path)


@frozen
class _Search:
    """Where the files are looked for, as the loader does; by the variables of a mapping, which the loader cannot."""

    directories: tuple[str, ...]
    named: Mapping[str, str]

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "_Search":
        directories = [os.path.join(place, "openstack") for place in _places(environ)]
        with suppress(OSError):  # the working directory may have been removed
            directories.insert(0, os.getcwd())
        named = {kind: environ[name] for kind, name in _NAMED_BY.items() if environ.get(name)}
        return cls(tuple(dict.fromkeys(directories)), named)

    def first(self, kind: str) -> _File | None:
        """The first file of a kind that is there. Those that may not be read are passed over, as by the loader."""
        paths = self._paths(kind)
        for path in paths:
            with suppress(FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError):
                return _File(path, _read(path))
        if kind in self.named:
            raise UsageError(f"{_NAMED_BY[kind]}={printable(paths[0])}: there is no such file, or it cannot be read")
        return None

    def is_found_here(self, file: _File) -> bool:
        """Whether it is in the working directory, and nobody has named it."""
        return os.path.dirname(file.path) == self.directories[0] == os.getcwd() and file.path not in self.named.values()

    def told(self, kind: str) -> str:
        """The places, for a message; one suffix stands for all."""
        paths = [os.path.join(each, kind + _SUFFIXES[0]) for each in self.directories]
        return ", ".join(printable(path) + " (not readable)" * os.path.exists(path) for path in paths)

    def _paths(self, kind: str) -> list[str]:
        if kind in self.named:
            return [self.named[kind]]
        return [os.path.join(each, kind + suffix) for each in self.directories for suffix in _SUFFIXES]


def _places(environ: Mapping[str, str]) -> Iterator[str]:
    if _HAS_OWN_PLACES:
        from platformdirs import site_config_dir, user_config_dir  # noqa: PLC0415 - openstacksdk brings it

        own = [user_config_dir(), site_config_dir()]
    else:
        own = [environ.get("XDG_CONFIG_HOME", ""), *environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep)]
    home = environ.get("SNAP_REAL_HOME") or environ.get("HOME") or os.path.expanduser("~")
    yield from filter(None, (own[0], os.path.join(home, ".config"), *own[1:], "/etc"))


def _read(path: str) -> Any:
    """Raises UsageError if it is not YAML (or JSON), OSError. No text quotes the file, which has secrets."""
    yaml = _yaml()
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file) if path.endswith(".json") else yaml.safe_load(file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise UsageError(f"{printable(path)}{where}: not YAML; values with special characters need quotes") from None
    except json.JSONDecodeError as error:
        raise UsageError(f"{printable(path)}, line {error.lineno}, column {error.colno}: not JSON") from None
    except (yaml.YAMLError, ValueError, RecursionError):  # characters that are not UTF-8, or that YAML does not know
        raise UsageError(f"{printable(path)} is not a text of YAML in UTF-8") from None


def _yaml() -> Any:
    try:
        import yaml  # noqa: PLC0415 - an extra
    except ImportError:
        raise _missing() from None
    return yaml


def _missing() -> UsageError:
    return UsageError("OS_CLOUD needs openstacksdk, which is not installed: pip install 'bulkput[keystone]'")


def _clouds_of(file: _File | None) -> Mapping[str, Any]:
    if file is None or file.data is None:
        return {}
    clouds = file.data.get("clouds", {}) if isinstance(file.data, dict) else None
    if not isinstance(clouds, dict):
        raise UsageError(f"{file} names no clouds: write them below 'clouds:', each as a name with its settings")
    return clouds


def _meant(name: str, known: list[str]) -> str:
    if not known:
        return ", which has none"
    others = f", and {len(known) - _MOST} more" if len(known) > _MOST else ""
    return f", which has {', '.join(sorted(known)[:_MOST])}{others}{did_you_mean(name, known)}"


def _loaded(
    name: str, region: str, config: _File, others: list[_File | None]
) -> tuple["CloudRegion", dict[str, str], tuple[Any, Any]]:
    """The cloud, its settings as variables, and its certificates as `requests` would want them (`verify`, `cert`)."""
    try:
        from openstack.config.loader import OpenStackConfig  # noqa: PLC0415 - heavy, and an extra
    except ImportError:
        raise _missing() from None
    secure, vendors = ([file.path] if file is not None else [] for file in others)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what is deprecated, or unknown, in the file
            loader = OpenStackConfig(
                config_files=[config.path], secure_files=secure, vendor_files=vendors, load_envvars=False
            )
            cloud = loader.get_one(name, region_name=region, validate=False)
            return cloud, dict(_variables(cloud)), cloud.get_requests_verify_args()
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001 - it checks little: a setting in a wrong place may be any error
        # No cause: it may hold secrets.
        why = f"{error}" if "Exception" in type(error).__name__ else f"{type(error).__name__} {error}"
        for secret in _secrets_in([config.data, *(file.data for file in others if file is not None)]):
            why = text_without_secrets(why, {"X-Auth-Key": secret})
        why = printable(" ".join(why.split()))
        if type(error).__module__.startswith("requests."):
            raise StoreGone("fetch the profile of cloud", name, why) from None
        raise UsageError(f"cloud {name} of {config}: openstacksdk does not take it: {why}") from None


def _secrets_in(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        for key, value in data.items():
            if isinstance(value, str | int) and _SECRET.search(str(key)):
                yield str(value)
            yield from _secrets_in(value)
    elif isinstance(data, Iterable) and not isinstance(data, str):
        for each in data:
            yield from _secrets_in(each)


def _variables(cloud: "CloudRegion") -> Iterator[tuple[str, str]]:
    """The settings. Those in `auth` count before others of the same name; those of object-store before the general."""
    auth = cloud.get_auth_args()
    settings = {**cloud.config, **auth}
    settings["region_name"] = cloud.get_region_name("object-store")
    settings["interface"] = cloud.get_interface("object-store")
    settings["object_store_endpoint_override"] = cloud.get_endpoint("object-store")
    if settings.get("auth_type") == "password" and not settings.get("password"):
        del settings["auth_type"]  # the loader's default; `keystone_variables.py` sees which secret is there
    for key, value in settings.items():
        are_texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
        text = ",".join(value) if are_texts else value
        if isinstance(text, str) and text and key not in _ABOUT_A_PROFILE:
            yield f"OS_{key.upper()}", text
        elif key in auth and text is not None and not isinstance(text, str):  # `no`, or a date
            raise UsageError(f"{key} of cloud {cloud.name} is no text in YAML: put it into quotes")


def _with_certificates(wire: WireOptions, verify: Any, cert: Any) -> WireOptions:
    """`wire` is what the caller chose, so it comes first."""
    cert_file, key_file = cert if isinstance(cert, tuple) else (cert, None)
    if wire.cert_file is not None:
        cert_file, key_file = wire.cert_file, wire.key_file
    return replace(
        wire,
        verify_tls=wire.verify_tls and verify is not False,
        ca_file=wire.ca_file or (verify if isinstance(verify, str) else None),
        cert_file=cert_file,
        key_file=key_file,
    )
