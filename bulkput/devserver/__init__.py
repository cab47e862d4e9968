"""A local store that speaks OpenStack Swift, for demos and tests.

It shares no code with the client: if both sides misread Swift in the same way, no test would find it. It imports only
the standard library and `aiohttp.web`, and nothing of bulkput outside this folder.

Reading path: `server` (what you run) > `app` (one request) > `objects`, `containers`, `accounts` (the verbs) > `store`
(the containers and their objects) > `record` (one object). Of large objects: `slo` (what one is), `manifests` (what
clients send), `contents` (what they read).
"""

from .app import App, Handler, Intercept
from .options import DevServerOptions, Latency, SloConstraints, SwiftConstraints
from .server import DevServer, serve
from .target import ResourceKind, Target, parse_target
from .traffic import Traffic

__all__ = [
    "App",
    "DevServer",
    "DevServerOptions",
    "Handler",
    "Intercept",
    "Latency",
    "ResourceKind",
    "SloConstraints",
    "SwiftConstraints",
    "Target",
    "Traffic",
    "parse_target",
    "serve",
]
