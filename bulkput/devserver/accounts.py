"""Requests for the account and for the service: log in, list containers, show the limits."""

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from aiohttp import web

from .call import Call
from .listing import ListQuery
from .options import DevServerOptions, SwiftConstraints
from .rules import Refused
from .store import Container, ContainerStore
from .tokens import Tokens

JSON = ("Content-Type", "application/json; charset=utf-8")
PLAIN = ("Content-Type", "text/plain; charset=utf-8")


def log_in(call: Call, tokens: Tokens, account: str, local_host: str) -> web.Response:
    """The v1 login (swift/common/middleware/tempauth.py, handle_get_token). Only GET."""
    if call.request.method != "GET":
        return call.refusal(405, "Log in with GET.", (("Allow", "GET"),))
    headers = call.headers
    user = headers.get("X-Auth-User") or headers.get("X-Storage-User") or ""
    key = headers.get("X-Auth-Key") or headers.get("X-Storage-Pass") or ""
    token = tokens.log_in(user, key)
    if token is None:
        realm = (("Www-Authenticate", 'Swift realm="unknown"'),)
        return call.refusal(401, "This server could not verify that you may access the account.", realm)
    # As in Swift, the host that the client used: it may come through a forwarded port.
    host = headers.get("Host") or local_host
    return call.answer(
        200,
        ("X-Auth-Token", token.text),
        ("X-Storage-Token", token.text),
        ("X-Auth-Token-Expires", str(tokens.seconds_left())),
        ("X-Storage-Url", f"http://{host}/v1/{account}"),
    )


def tell_limits(call: Call, options: DevServerOptions) -> web.Response:
    """`GET /info`: the limits in force, and the one middleware there is. Swift does not list dlo there."""
    swift = {
        **dataclasses.asdict(options.limits),
        "version": "bulkput-devserver",
        "strict_cors_mode": True,
        "policies": [{"name": "Policy-0", "default": True, "aliases": "Policy-0"}],
        "allow_account_management": False,
        "account_autocreate": True,
    }
    slo = {**dataclasses.asdict(options.slo), "min_segment_size": 1, "allow_async_delete": False}
    told: dict[str, object] = {"swift": swift, "slo": slo}
    if options.tells_container_rate:
        limits = [[1, options.container_rate]] if options.container_rate is not None else []
        told["ratelimit"] = {
            "account_ratelimit": 0.0,
            "max_sleep_time_seconds": 60.0,
            "container_ratelimits": limits,
            "container_listing_ratelimits": [],
        }
    body = json.dumps(told).encode()
    return call.answer(200, ("Content-Type", "application/json; charset=UTF-8"), body=body)


def serve_account(call: Call, store: ContainerStore, limits: SwiftConstraints) -> web.Response:
    """GET and HEAD of the account: its containers, its totals (API reference, "Show account details")."""
    params = call.params()
    totals = (
        ("X-Account-Container-Count", str(len(store.containers))),
        ("X-Account-Object-Count", str(sum(len(c.objects) for c in store.containers.values()))),
        ("X-Account-Bytes-Used", str(sum(c.bytes_used for c in store.containers.values()))),
    )
    as_json = wants_json(call, params)
    if call.request.method == "HEAD":
        return call.answer(204, JSON if as_json else PLAIN, *totals)
    if call.request.method != "GET":
        raise Refused(405, "The method is not allowed for an account.", (("Allow", "GET, HEAD"),))
    page = store.page(list_query(params, limits.account_listing_limit))
    if not as_json:
        text = "".join(row.name + "\n" for row in page).encode()
        return call.answer(200 if text else 204, PLAIN, *totals, body=text or None)
    rows = [{"subdir": row.name} if row.is_subdir else _container_row(store.containers[row.name]) for row in page]
    return call.answer(200, JSON, *totals, body=json.dumps(rows).encode())


def list_query(params: Mapping[str, str], most: int) -> ListQuery:
    """A listing's parameters. Raises Refused(412) beyond `most`. As in Swift, a limit that is no number is ignored."""
    text = params.get("limit", "")
    limit = int(text) if text.isascii() and text.isdigit() else most
    if limit > most:
        raise Refused(412, f"Maximum limit is {most}")
    return ListQuery(
        limit=limit,
        marker=params.get("marker", ""),
        end_marker=params.get("end_marker", ""),
        prefix=params.get("prefix", ""),
        delimiter=params.get("delimiter", ""),
        path=params.get("path"),
        reverse=params.get("reverse", "").lower() in ("true", "1", "yes", "on", "t", "y"),
    )


def wants_json(call: Call, params: Mapping[str, str]) -> bool:
    """Whether the client wants JSON; plain text is the default. Raises Refused(406) for XML."""
    given = params.get("format", "").lower()
    if given == "xml":
        raise Refused(406, "Listings are json or plain.")
    return given == "json" or (not given and "application/json" in call.headers.get("Accept", ""))


def _container_row(container: Container) -> dict[str, str | int]:
    return {
        "name": container.name,
        "count": len(container.objects),
        "bytes": container.bytes_used,
        "last_modified": iso_time(container.timestamp),
    }


def iso_time(timestamp: float) -> str:
    """A listing's last_modified: UTC, microseconds, no zone (swift/common/utils/timestamp.py, isoformat)."""
    return datetime.fromtimestamp(timestamp, UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
