"""Makes a temporary URL, with which others upload to, or read from, one place of an account without credentials."""

import os
import time
from collections.abc import Mapping

from bulkput import events as ev
from bulkput.engine.open_store import connected
from bulkput.errors import UsageError
from bulkput.option_types import checked
from bulkput.policy.naming import joined_prefix
from bulkput.policy.temp_url import DIGESTS, KEY_VARIABLE, Wish, moment, place_of, sign
from bulkput.stores.base import Destination
from bulkput.verb_options import TempUrlOptions


async def temporary_url(
    url: str,
    *,
    options: TempUrlOptions | None = None,
    on_event: ev.Emit | None = None,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Make a temporary URL for everything below `url` as a directory, such as `swift://container/prefix`, or with
    `is_object` for the object of that name. It is a secret.

    The key is the one in BULKPUT_TEMPURL_KEY, else that of the account or of the container, which the account's owner
    may see. A request proves that the store takes the URL. With that variable, `url` may be the place's own URL,
    https://HOST/v1/ACCOUNT/CONTAINER/PREFIX: then nothing is sent.

    Raises UsageError: a wrong URL, missing credentials, no key, or the store refuses the URL that was made.
    """
    options = checked(options, TempUrlOptions)
    environ = os.environ if environ is None else environ
    wish = _wish(options, time.time())
    if url.partition("://")[0].lower() in ("http", "https"):
        return _by_key_alone(url, wish, environ)
    name = _name(Destination.parse(url).prefix, wish)
    async with connected(url, wire=options.wire, retry=options.retry, emit=on_event, environ=environ) as (store, _):
        make = store.powers.temporary_url
        if make is None:
            raise UsageError("temporary URLs are Swift's: write swift://CONTAINER/PREFIX")
        return await make(name, wish)


def _wish(options: TempUrlOptions, now: float) -> Wish:
    """Raises UsageError."""
    expires_s = options.expires_at_s if options.expires_at_s is not None else int(now) + options.expires_in_s
    moment(str(expires_s), what="`expires_in_s` or `expires_at_s`")
    if expires_s <= now:
        raise UsageError("`expires_in_s` or `expires_at_s`: the temporary URL would have expired already")
    if options.ip_range is not None:
        _check_network(options.ip_range)
    return Wish(
        method=options.method,
        expires_s=expires_s,
        is_object=options.is_object,
        digest=options.digest,
        ip_range=options.ip_range,
    )


def _check_network(text: str) -> None:
    """Raises UsageError. Swift refuses each request if the range has bits behind its length."""
    from ipaddress import ip_network  # noqa: PLC0415 - 3 ms, which few URLs need

    try:
        ip_network(text)
    except ValueError as error:
        raise UsageError(f"`ip_range`: {error}: write an address, or a network like 192.0.2.0/24") from None


def _name(prefix: str, wish: Wish) -> str:
    """What is signed. Raises UsageError."""
    if not wish.is_object:
        return joined_prefix(prefix)
    if not prefix.strip("/"):
        raise UsageError("`is_object`: the URL names no object")
    return prefix


def _by_key_alone(url: str, wish: Wish, environ: Mapping[str, str]) -> str:
    if "?" in url:  # a temporary URL, perhaps: it is not shown
        raise UsageError("the URL to sign has a query already: take out the ? and what follows")
    if not environ.get(KEY_VARIABLE):
        raise UsageError(
            f"a temporary URL for an http(s) URL is signed with the key in {KEY_VARIABLE}, which is not set;"
            " swift://CONTAINER/PREFIX takes the account's key"
        )
    place = place_of(url)
    named = place.named(_name(place.name, wish))
    return sign(named, wish, environ[KEY_VARIABLE], wish.digest or DIGESTS[0]).url
