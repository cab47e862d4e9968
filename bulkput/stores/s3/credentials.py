"""The keys that requests to S3 are signed with, one pair for all workers.

botocore finds them, by its own chain: variables, the files of the AWS command line with their profiles, SSO, web
identity, the roles of containers and instances. It is asked in a thread, since that may take files, programs and
requests; and not at all if variables say everything, which saves its import (0.3 s). Its credentials tell when they
have to be refreshed. If the store says that keys have expired, the whole chain is asked again: a file may have others
by now. Keys in variables are not looked for elsewhere: another identity might be found.

The variables are those of `environ`, which callers from Python choose. Of the process itself are those that botocore
keeps to itself: of web identity, containers and instances.
"""

import asyncio
import math
import os.path
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from bulkput.errors import StoreGone, UsageError, printable
from bulkput.options import WireOptions
from bulkput.stores.base import Configured, StoreContext
from bulkput.stores.s3.settings import Settings, region_of, settings_of
from bulkput.stores.s3.sign import Keys

_LOOK_S = 1.0
"""Seconds between two looks whether keys that expire have to be refreshed; each costs some microseconds."""
_AGAIN_S = 5.0
"""Seconds between two questions for other keys than those that were refused: many requests may be, at once."""
_AFTER_FAILURE_S = 30.0
"""Seconds until keys that could not be refreshed, and still hold, are tried again. botocore begins 15 minutes before
they expire."""
_HOW = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE to a profile of ~/.aws; AWS_SKIP_SIGNATURE=true"
    " sends requests without a signature, to public buckets"
)
_MOST_NAMES = 8
"""Profiles that a message names."""
_OF_PROGRAMS = (OSError, ValueError, RuntimeError, LookupError, AttributeError, TypeError)
"""Errors that botocore lets pass: of missing programs, of programs that print something else, of damaged files."""
_NO_LIBRARY = (
    "no credentials for s3://: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true for public"
    " buckets; AWS_PROFILE, the files of ~/.aws and roles need pip install 'bulkput[s3]'"
)
"""Where botocore is not installed."""
_NO_PLACE = (
    "s3://: AWS_PROFILE and the files of ~/.aws may name the region and the server, and to read them needs pip install"
    " 'bulkput[s3]'"
)
"""The same, where variables say the keys."""


class Credentials:
    """The present keys. None: requests are not signed."""

    def __init__(self, environ: Mapping[str, str], keys: Keys | None, found: Any = None) -> None:
        """`found` are botocore's credentials, if it has found some."""
        self._environ = environ
        self._found = found
        self._look_at_s = -math.inf
        self._asked_s = -math.inf
        self._renewing = asyncio.Lock()
        self.keys = keys

    async def fresh(self) -> Keys | None:
        """The keys, refreshed if they expire soon. Raises StoreGone if that fails, and the old ones have expired."""
        found = self._found
        if found is None or time.monotonic() < self._look_at_s or not hasattr(found, "refresh_needed"):
            return self.keys
        if self._renewing.locked() and not found.refresh_needed(0):
            return self.keys  # another worker is refreshing them, and until then they hold
        async with self._renewing:
            if time.monotonic() >= self._look_at_s:
                await self._refresh(found)
        return self.keys

    async def _refresh(self, found: Any) -> None:
        if found.refresh_needed():
            try:
                self.keys = await _in_thread(_frozen, found)
            except StoreGone:
                if found.refresh_needed(0):
                    raise
        has_failed = found.refresh_needed()
        self._look_at_s = time.monotonic() + (_AFTER_FAILURE_S if has_failed else _LOOK_S)

    @property
    def are_temporary(self) -> bool:
        """Whether there will be other keys some day: they have a token, or botocore refreshes them."""
        return (self.keys is not None and self.keys.token is not None) or hasattr(self._found, "refresh_needed")

    async def renewed(self, refused: Keys) -> Keys | None:
        """Other keys than those that the store has refused; None if there are no others."""
        if self._found is None:
            return None
        async with self._renewing:
            if self.keys == refused and time.monotonic() - self._asked_s > _AGAIN_S:
                self._asked_s = time.monotonic()
                found = None
                with suppress(UsageError):  # a file has become wrong
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
    said = said_by_variables(environ)
    if said is not None and not await asyncio.to_thread(_has_files, environ):
        return said
    session = await _in_thread(_session, environ, missing=_NO_LIBRARY if said is None else _NO_PLACE)
    profile, services = await _in_thread(_profile, session)
    settings = settings_of(environ, profile, services)
    if said is not None:
        return settings, said[1]
    credentials = await _in_thread(session.get_credentials)
    if credentials is None:
        raise no_credentials(() if _profile_name(environ) else await _in_thread(lambda: session.available_profiles))
    return settings, Credentials(environ, await _in_thread(_frozen, credentials), credentials)


def said_by_variables(environ: Mapping[str, str]) -> tuple[Settings, Credentials] | None:
    """The same if variables have a pair of keys, or say that there is none. Raises UsageError for half a pair."""
    key, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if _is_anonymous(environ):
        return settings_of(environ, {}, {}), Credentials(environ, None)
    if not key:
        return None
    if not secret:
        raise UsageError("AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not: set both, or neither")
    token = environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_SECURITY_TOKEN") or None
    return settings_of(environ, {}, {}), Credentials(environ, Keys(key, secret, token))


def found_in(context: StoreContext) -> tuple[Settings | None, Credentials | None]:
    """What `configured` has found, or another process; else what variables say. Raises UsageError."""
    if context.asked_again is None:
        return context.found or said_by_variables(context.environ) or (None, None)
    from bulkput.stores.s3.handed_keys import HandedKeys  # noqa: PLC0415 - for processes of a sharded run

    return context.found[0], HandedKeys(Configured(context.environ, context.wire, context.found), context.asked_again)


def no_credentials(profiles: Iterable[str] = ()) -> UsageError:
    """`profiles` are those of the files, if none is chosen."""
    names = [printable(name) for name in profiles if name != "default"]
    if not names:
        return UsageError(f"no credentials for s3://: {_HOW}")
    shown = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
    return UsageError(
        f"no credentials for s3://: set AWS_PROFILE to one of your profiles ({shown}), or AWS_ACCESS_KEY_ID and"
        " AWS_SECRET_ACCESS_KEY"
    )


def _is_anonymous(environ: Mapping[str, str]) -> bool:
    return environ.get("AWS_SKIP_SIGNATURE", "").lower() in ("true", "1", "yes")


def _has_files(environ: Mapping[str, str]) -> bool:
    """Whether there are files, which may have a region, an endpoint and more for the profile."""
    return bool(_profile_name(environ)) or any(os.path.isfile(os.path.expanduser(path)) for path in _files(environ))


def _files(environ: Mapping[str, str]) -> tuple[str, str]:
    """The paths of the configuration and of the credentials."""
    return (
        environ.get("AWS_CONFIG_FILE") or "~/.aws/config",
        environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials",
    )


def _profile_name(environ: Mapping[str, str]) -> str | None:
    """The profile, by botocore's names in its order."""
    return environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE") or None


async def _in_thread(function: Any, *arguments: Any, missing: str = _NO_LIBRARY) -> Any:
    """Call botocore, which may block. `missing` is what to say if it is not installed.

    Its errors become sentences: UsageError, or StoreGone for a login that failed. So do those of what it calls: a
    program that is not there, or that prints no JSON.
    """
    try:
        return await asyncio.to_thread(function, *arguments)
    except ImportError as error:
        raise UsageError(missing) from error
    except UsageError:
        raise
    except Exception as error:
        if not (type(error).__module__.startswith("botocore.") or isinstance(error, _OF_PROGRAMS)):
            raise
        raise _told(error) from None  # a cause may hold what a program has printed: keys


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
    text = printable(" ".join(str(error).split()))
    if isinstance(error, mistakes):
        return UsageError(f"credentials for s3://: {text}")
    if isinstance(error, of_botocore.SSOTokenLoadError):
        text += ": run aws sso login"
    return StoreGone("login", "s3", f"no credentials: {text}")


def _session(environ: Mapping[str, str]) -> Any:
    import botocore.session  # noqa: PLC0415 - heavy

    config_file, credentials_file = _files(environ)
    session = botocore.session.Session(
        session_vars={
            # Constants, since `environ` need not be the process's. The profile is not set as the session's own: that
            # would be stronger than keys in variables.
            "profile": (None, None, _profile_name(environ), None),
            "config_file": (None, None, config_file, None),
            "credentials_file": (None, None, credentials_file, None),
        }
    )
    if region := region_of(environ):  # for logins; botocore does not know AWS_REGION
        session.set_config_variable("region", region)
    chain = session.get_component("credential_provider")
    chain.get_provider("env").environ = environ
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        chain.remove("iam-role")
    return session


def _ask_chain(environ: Mapping[str, str]) -> Any:
    return _session(environ).get_credentials()


def _profile(session: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The profile, and the section of services that it names."""
    profile = session.get_scoped_config()
    sections, name = session.full_config.get("services", {}), profile.get("services")
    if name is not None and name not in sections:
        raise UsageError(f"credentials for s3://: the profile has services = {name}, and there is no [services {name}]")
    return profile, sections.get(name, {})


def _frozen(credentials: Any) -> Keys:
    keys = credentials.get_frozen_credentials()
    return Keys(keys.access_key, keys.secret_key, keys.token)
