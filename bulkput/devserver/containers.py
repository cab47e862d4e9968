"""The verbs of a container: create, update, show, list, delete (swift/proxy/controllers/container.py)."""

import asyncio
import json

from aiohttp import web

from .accounts import JSON, PLAIN, iso_time, list_query, wants_json
from .call import Call, http_date
from .listing import ListingRow
from .options import SwiftConstraints
from .record import Headers, StoredObject
from .rules import Refused, check_container_name, user_metadata
from .store import Container, ContainerStore

_MANY = 500  # rows; rendering more would hold the loop for more than a millisecond


async def serve_container(call: Call, store: ContainerStore, limits: SwiftConstraints) -> web.Response:
    """Answer a request for a container. Raises Refused."""
    name = call.target.container
    match call.request.method:
        case "PUT":
            check_container_name(name, limits)
            created = store.create(name, _headers(call, limits))
            return call.answer(201 if created else 202)
        case "POST":
            _existing(store, name).merge(_headers(call, limits))
            return call.answer(204)
        case "DELETE":
            if not store.drop(_existing(store, name)):
                raise Refused(409, "There was a conflict when trying to complete your request.")
            return call.answer(204)
        case "GET" | "HEAD":
            return await _tell(call, _existing(store, name), limits)
        case _:
            allow = (("Allow", "DELETE, GET, HEAD, POST, PUT"),)
            raise Refused(405, "The method is not allowed for a container.", allow)


async def _tell(call: Call, container: Container, limits: SwiftConstraints) -> web.Response:
    params = call.params()
    query = list_query(params, limits.container_listing_limit)
    as_json = wants_json(call, params)
    totals = (
        ("X-Container-Object-Count", str(len(container.objects))),
        ("X-Container-Bytes-Used", str(container.bytes_used)),
        ("X-Timestamp", f"{container.timestamp:016.5f}"),
        ("Last-Modified", http_date(container.timestamp)),
        ("X-Storage-Policy", "Policy-0"),
        *container.headers,
    )
    if call.request.method == "HEAD":
        return call.answer(204, JSON if as_json else PLAIN, *totals)
    page = container.page(query)
    if not as_json:
        text = "".join(row.name + "\n" for row in page).encode()
        return call.answer(200 if text else 204, PLAIN, *totals, body=text or None)
    # The rows are fixed here, before the thread: a PUT during the rendering must not change the page.
    rows = [(row, container.objects.get(row.name)) for row in page]
    body = await asyncio.to_thread(_render, rows) if len(rows) > _MANY else _render(rows)
    return call.answer(200, JSON, *totals, body=body)


def _render(rows: list[tuple[ListingRow, StoredObject | None]]) -> bytes:
    return json.dumps(
        [{"subdir": row.name} if row.is_subdir or stored is None else _object_row(stored) for row, stored in rows]
    ).encode()


def _object_row(stored: StoredObject) -> dict[str, str | int]:
    row: dict[str, str | int] = {
        "name": stored.name,
        "hash": stored.etag,
        "bytes": stored.listed_size,
        "content_type": stored.content_type,
        "last_modified": iso_time(stored.timestamp),
    }
    if stored.slo is not None:
        row["slo_etag"] = f'"{stored.slo.etag}"'
    return row


def _existing(store: ContainerStore, name: str) -> Container:
    container = store.containers.get(name)
    if container is None:
        raise Refused(404, "The resource could not be found.")
    return container


def _headers(call: Call, limits: SwiftConstraints) -> Headers:
    """X-Container-Meta-* and the two ACLs, which are stored but not enforced: there is one user."""
    acls = tuple((key, call.headers[key]) for key in ("X-Container-Read", "X-Container-Write") if key in call.headers)
    return (*acls, *user_metadata(call.headers, "X-Container-Meta-", limits))
