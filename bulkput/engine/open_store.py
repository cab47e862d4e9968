"""Opens a store by its URL, with retries and limits around it."""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from bulkput import __version__
from bulkput import events as ev
from bulkput.errors import Unavailable, Unsupported, UsageError
from bulkput.model import Container, Prefix, RemoteObject
from bulkput.option_types import checked
from bulkput.options import HeaderOptions, LargeOptions, RetryOptions, WireOptions
from bulkput.policy.directories import one_level
from bulkput.policy.headers import check_headers
from bulkput.policy.naming import without_query
from bulkput.record import frozen
from bulkput.s3_options import S3Options
from bulkput.stores.base import Configured, Destination, Store, StoreContext, configured, open_destination
from bulkput.stores.slots import Slots
from bulkput.stores.tries import Brake, NoBrake, Tries
from bulkput.stores.wrappers import wrap
from bulkput.transport.base import WireCount
from bulkput.transport.route import open_transport

if TYPE_CHECKING:
    from bulkput.stores.pace import Pace
    from bulkput.stores.spread.governed import Governed
    from bulkput.stores.spread.governor import Governor
    from bulkput.verb_options import ListOptions, StoreOptions


@asynccontextmanager
async def open_store(
    url: str,
    *,
    options: "StoreOptions | None" = None,
    on_event: ev.Emit | None = None,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[Store]:
    """Open the store of a URL with `async with`, for single operations: `put`, `list`, `stat` and the store's powers.

    Keys are full object names: the store does not add the URL's prefix (`Destination.parse(url).prefix`). Call
    `prepare` before the first `put`. Failed operations are retried; `on_event` gets an event for each request.

    Opening makes no request. Raises UsageError for a wrong URL or missing credentials.
    """
    from bulkput.verb_options import StoreOptions  # noqa: PLC0415 - an upload does not need it

    options = checked(options, StoreOptions)
    async with connected(
        url,
        wire=options.wire,
        retry=options.retry,
        storage_policy=options.storage_policy,
        headers=options.headers,
        emit=on_event,
        environ=environ,
    ) as (store, _):
        yield store


@asynccontextmanager
async def connected(
    destination: str | Destination,
    *,
    wire: WireOptions | None = None,
    retry: RetryOptions | None = None,
    storage_policy: str | None = None,
    headers: HeaderOptions | None = None,
    encodes: bool = False,
    large: LargeOptions | None = None,
    s3: S3Options | None = None,
    checksum_headers: bool = False,
    tag: str | None = None,
    read_for: str | None = None,
    slots: Slots | None = None,
    pace: "Pace | None" = None,
    governor: "Governor | None" = None,
    emit: ev.Emit | None = None,
    brake: Brake | None = None,
    environ: Mapping[str, str] | None = None,
    handed: "Handed | None" = None,
) -> AsyncIterator[tuple[Store, WireCount]]:
    """Open the store of a URL for the engine; yields the wrapped store and the count of its requests.

    `slots` limits the requests in flight; None means `wire.start` of them. `pace` keeps the rates of `wire`; None means
    that this store has a pace of its own if `wire` has a rate. The same for `governor`, which keeps the rates of
    containers: see `governor_of`. `tag` is that of UploadOptions. `read_for` is the URL that a copy writes to, if this
    store is its source. `handed` is what another process has handed over. Raises like `open_store`, and RateGone if a
    shared rate cannot be had."""
    wire, emit, brake = wire or WireOptions(), emit or _ignore, brake or NoBrake()
    headers = headers or HeaderOptions()
    check_headers(headers)
    tries = Tries(retry or RetryOptions(), emit, brake)
    where = destination if isinstance(destination, Destination) else Destination.parse(destination)
    wire = (told := await _told(where, os.environ if environ is None else environ, wire, handed)).wire
    user_agent = f"bulkput/{__version__}" + (f" ({tag})" if tag is not None else "")
    async with aclosing(open_transport(wire, user_agent=user_agent)) as transport:
        context = StoreContext(
            environ=told.environ,
            wire=wire,
            found=told.found,
            transport=transport,
            again=tries,
            warn=lambda why: emit(ev.Warned(why)),
            storage_policy=storage_policy,
            headers=headers,
            encodes=encodes,
            large=large or LargeOptions(),
            s3=s3 or S3Options(),
            checksum_headers=checksum_headers,
            tag=tag,
            asked_again=handed.asked_again if handed is not None else None,
            destination=Destination.parse(read_for).root if read_for is not None else None,
        )
        bare = await open_destination(where, context)
        pace, governor = pace or pace_of(wire, brake), governor or governor_of(wire, brake, where)
        governed = _governed(governor, where, emit) if governor is not None else None
        slots = slots or Slots(wire.start)
        store = wrap(bare, tries=tries, slots=slots, emit=emit, brake=brake, pace=pace, governed=governed)
        async with aclosing(store), _paced(pace, emit, user_agent=user_agent, environ=environ):
            yield store, transport.count


@frozen
class Handed:
    """What a process has handed over to this one: how to open a store, and how to ask for another login."""

    told: Configured
    asked_again: Callable[[Configured], Awaitable[Configured]]


async def _told(where: Destination, environ: Mapping[str, str], wire: WireOptions, handed: Handed | None) -> Configured:
    """What the store is opened with. Rates are not handed over: each process has its share of them."""
    if handed is None:
        return await configured(where, environ, wire)
    told = handed.told
    wire = replace(told.wire, objects_per_s=wire.objects_per_s, bytes_per_s=wire.bytes_per_s)
    return replace(told, wire=wire)


def pace_of(wire: WireOptions, brake: Brake, *, shared_run: str | None = None) -> "Pace | None":
    """The pace of a run; None if no rate was asked for: then nothing of it is in a request's way. `shared_run` is the
    `Pace.shared_run` of the driver, in one of its processes."""
    if wire.objects_per_s is None and wire.bytes_per_s is None and wire.rate_shared is None:
        return None
    from bulkput.stores.pace import Pace  # noqa: PLC0415 - see above

    if wire.rate_shared is None:
        return Pace(wire, brake)
    from bulkput.stores.shared_rate import SharedRate  # noqa: PLC0415 - json, which few runs need

    return Pace(wire, brake, shared=SharedRate(wire, wire.rate_shared, brake, run=shared_run))


def _paced(
    pace: "Pace | None", emit: ev.Emit, *, user_agent: str, environ: Mapping[str, str] | None
) -> AbstractAsyncContextManager[None]:
    """Keep the pace within the block: a rate that is shared has to be asked for."""
    if pace is None:
        return nullcontext()
    token = (os.environ if environ is None else environ).get("BULKPUT_RATE_TOKEN") or None
    return pace.opened(emit, user_agent=user_agent, token=token)


def governor_of(wire: WireOptions, brake: Brake, *destinations: Destination) -> "Governor | None":
    """The rates of a run's containers: if such a rate was asked for, or objects are spread over containers."""
    is_spread = any(where.scheme == "swift" and "{" in where.root for where in destinations)
    if wire.container_objects_per_s is None and not is_spread:
        return None
    from bulkput.stores.spread.governor import Governor  # noqa: PLC0415 - few runs have one

    return Governor(wire.container_objects_per_s, brake)


def _governed(governor: "Governor", where: Destination, emit: ev.Emit) -> "Governed":
    from bulkput.policy.spread import spread_of  # noqa: PLC0415 - see above
    from bulkput.stores.spread.governed import GovernedStore  # noqa: PLC0415 - the same

    governor.tell = lambda why: emit(ev.Warned(why))
    spread = spread_of(where.root) if where.scheme == "swift" else None
    names = (where.root,) if spread is None else spread.names
    return lambda store: GovernedStore(
        store, governor, (lambda _key: where.root) if spread is None else spread.container_of, names
    )


async def list_objects(
    url: str,
    *,
    options: "ListOptions | None" = None,
    on_event: ev.Emit | None = None,
    environ: Mapping[str, str] | None = None,
) -> AsyncGenerator[RemoteObject | Prefix, None]:
    """Iterate over the objects below `url` with `async for`, in bytewise order of their names, in constant memory.

    With the delimiter `/` it gives one level only: each deeper directory comes once, as a Prefix, which also stands for
    the directory's marker.

    Raises UsageError for a wrong URL or missing credentials, NotFound if there is no such container, and StoreError.
    """
    from bulkput.verb_options import ListOptions  # noqa: PLC0415 - an upload does not need it

    options = checked(options, ListOptions)
    prefix, delimiter = Destination.parse(url).prefix, options.delimiter
    async with (
        connected(url, wire=options.wire, retry=options.retry, emit=on_event, environ=environ) as (store, _),
        aclosing(store.list(prefix, delimiter=delimiter)) as listing,
        aclosing(one_level(listing) if delimiter == "/" else listing) as items,
    ):
        async for item in items:
            yield item


async def list_containers(
    url: str,
    *,
    options: "ListOptions | None" = None,
    on_event: ev.Emit | None = None,
    environ: Mapping[str, str] | None = None,
) -> AsyncGenerator[Container, None]:
    """Iterate with `async for` over the containers or buckets that the credentials may list, in the store's order.
    `url` is `swift://` or `s3://`, without a container.

    Raises UsageError for another URL or missing credentials, and StoreError.
    """
    from bulkput.verb_options import ListOptions  # noqa: PLC0415 - an upload does not need it

    options = checked(options, ListOptions)
    account = Destination.of_account(url)
    if account is None:
        raise UsageError(
            f"{without_query(url)!r} is no account, whose containers can be listed: write swift:// or s3://"
        )
    if options.delimiter is not None:
        raise UsageError("containers have no levels: their listing takes no delimiter")
    async with connected(account, wire=options.wire, retry=options.retry, emit=on_event, environ=environ) as (store, _):
        containers, at = store.powers.containers, ""
        if containers is None:
            raise Unsupported("list", url, "this store does not list containers")
        begun = {at}
        while True:
            page = await containers(at)
            for row in page.rows:
                yield row
            if page.next is None:
                return
            if page.next in begun:
                raise Unavailable("list", url, "the listing comes back to the same page, and has no end")
            begun.add(page.next)
            at = page.next


def _ignore(_event: ev.Event) -> None:
    """Discards events: the view of a caller that gave no `on_event`."""
