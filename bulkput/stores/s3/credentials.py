"""The keys that requests to S3 are signed with, one pair for all workers.

botocore finds them, by its own chain: variables, the files of the AWS command line with their profiles, SSO, web
identity, the roles of containers and instances. It is asked in a thread, since that may take files, programs and
requests; and not at all if variables say everything, which saves its import (0.3 s). Its credentials tell when they
have to be refreshed. If the store says that keys have expired, the whole chain is asked again: a file may have others
by now.
"""

import asyncio
import math
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from bulkput.errors import StoreGone, UsageError
from bulkput.options import WireOptions
from bulkput.stores.base import Configured
from bulkput.stores.s3.settings import Settings, settings_of
from bulkput.stores.s3.sign import Keys

_LOOK_S = 1.0
"""Seconds between two looks whether keys that expire have to be refreshed; each costs some microseconds."""
_AGAIN_S = 5.0
"""Seconds between two questions for other keys than those that were refused: many requests may be, at once."""
_HOW = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE to a profile of ~/.aws; AWS_SKIP_SIGNATURE=true"
    " sends requests without a signature, to public buckets"
)
_MISSING = "s3:// needs botocore here, to read the files of the AWS command line: pip install 'bulkput[s3]'"


class Credentials:
    """The present keys. None: requests are not signed."""

    def __init__(self, environ: Mapping[str, str], keys: Keys | None, found: Any = None) -> None:
        """`found` are botocore's credentials, if it has found some."""
        self._environ = environ
        self._found = found
        self._looked_s = 0.0
        self._asked_s = -math.inf
        self._renewing = asyncio.Lock()
        self.keys = keys

    async def fresh(self) -> Keys | None:
        """The keys, refreshed if they expire soon. Raises StoreGone if that fails, and the old ones have expired."""
        found, now_s = self._found, time.monotonic()
        if found is None or now_s - self._looked_s < _LOOK_S or not hasattr(found, "refresh_needed"):
            return self.keys
        async with self._renewing:
            if now_s - self._looked_s >= _LOOK_S:
                self._looked_s = now_s
                if found.refresh_needed():
                    self.keys = await _in_thread(_frozen, found)
        return self.keys

    async def renewed(self, refused: Keys) -> Keys | None:
        """Other keys than those that the store has refused; None if there are no others."""
        async with self._renewing:
            if self.keys == refused and time.monotonic() - self._asked_s > _AGAIN_S:
                self._asked_s = time.monotonic()
                found = None
                with suppress(UsageError):  # botocore is not there, or a file has become wrong
                    found = await _in_thread(_ask_chain, self._environ)
                if found is not None:
                    self._found, self.keys = found, await _in_thread(_frozen, found)
            return self.keys if self.keys != refused else None


async def configured(environ: Mapping[str, str], wire: WireOptions) -> Configured:
    """See `stores/base.py:configured`. `found` is where S3 is, and the keys for it."""
    settings, credentials = await _found(environ)
    if settings.ca_file is not None and wire.ca_file is None:
        wire = replace(wire, ca_file=settings.ca_file)
    return Configured(environ, wire, (settings, credentials))


async def _found(environ: Mapping[str, str]) -> tuple[Settings, Credentials]:
    """From variables and botocore's files. Raises UsageError."""
    if (said := said_by_variables(environ)) is not None and not await asyncio.to_thread(_has_files, environ):
        return said
    session = await _in_thread(_session, environ)
    profile, services = await _in_thread(_profile, session)
    settings = settings_of(environ, profile, services)
    if _is_anonymous(environ):
        return settings, Credentials(environ, None)
    credentials = await _in_thread(session.get_credentials)
    if credentials is None:
        raise UsageError(f"no credentials for s3://: {_HOW}")
    return settings, Credentials(environ, await _in_thread(_frozen, credentials), credentials)


def said_by_variables(environ: Mapping[str, str]) -> tuple[Settings, Credentials] | None:
    """The same if variables have a pair of keys, or say that there is none."""
    key, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if _is_anonymous(environ):
        return settings_of(environ, {}, {}), Credentials(environ, None)
    if not key or not secret:
        return None
    token = environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_SECURITY_TOKEN") or None
    return settings_of(environ, {}, {}), Credentials(environ, Keys(key, secret, token))


def no_credentials() -> UsageError:
    return UsageError(f"no credentials for s3://: {_HOW}")


def _is_anonymous(environ: Mapping[str, str]) -> bool:
    return environ.get("AWS_SKIP_SIGNATURE", "").lower() in ("true", "1", "yes")


def _has_files(environ: Mapping[str, str]) -> bool:
    """Whether there is a configuration file, which may have a region, an endpoint and more for the profile."""
    return bool(environ.get("AWS_PROFILE")) or _config_file(environ).exists()


def _config_file(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser()


async def _in_thread(function: Any, *arguments: Any) -> Any:
    """Call what may block. Errors of botocore become sentences: UsageError, or StoreGone for a login that failed."""
    try:
        return await asyncio.to_thread(function, *arguments)
    except ImportError as error:
        raise UsageError(_MISSING) from error
    except UsageError:
        raise
    except Exception as error:
        if not type(error).__module__.startswith("botocore."):
            raise
        raise _told(error) from None


def _told(error: Exception) -> UsageError | StoreGone:
    from botocore import exceptions as of_botocore  # noqa: PLC0415 - heavy

    mistakes = (
        of_botocore.ProfileNotFound,
        of_botocore.ConfigNotFound,
        of_botocore.ConfigParseError,
        of_botocore.PartialCredentialsError,
        of_botocore.InvalidConfigError,
        of_botocore.UnknownCredentialError,
    )
    if isinstance(error, mistakes):
        return UsageError(f"credentials for s3://: {error}")
    return StoreGone("login", "", f"no credentials for s3://: {error}")


def _session(environ: Mapping[str, str]) -> Any:
    import botocore.session  # noqa: PLC0415 - heavy

    session = botocore.session.Session()
    if (profile := environ.get("AWS_PROFILE")) and profile != os.environ.get("AWS_PROFILE"):
        # Only then: a profile that is given by name is stronger than keys in variables.
        session.set_config_variable("profile", profile)
    for name, variable in (("config_file", "AWS_CONFIG_FILE"), ("credentials_file", "AWS_SHARED_CREDENTIALS_FILE")):
        if environ.get(variable):
            session.set_config_variable(name, environ[variable])
    return session


def _ask_chain(environ: Mapping[str, str]) -> Any:
    return _session(environ).get_credentials()


def _profile(session: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The profile, and the section of services that it names."""
    profile = session.get_scoped_config()
    services = session.full_config.get("services", {}).get(profile.get("services"), {})
    return profile, services


def _frozen(credentials: Any) -> Keys:
    keys = credentials.get_frozen_credentials()
    return Keys(keys.access_key, keys.secret_key, keys.token)
