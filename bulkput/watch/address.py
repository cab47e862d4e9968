"""By which names a browser may ask for the status page.

A page of a stranger cannot read ours: its browser has another origin for it. But a stranger's name may resolve to
127.0.0.1 (DNS rebinding), and then the origin is the stranger's. So a request is answered only if its Host names this
machine:

| bound to | Host that is answered |
|---|---|
| any | an IP address, `localhost`: nobody can rebind these |
| a name, such as build7.example.org | that name too |
| 0.0.0.0 or ::, so every address | the name of this machine too |

The port in Host does not count: `ssh -L 9000:localhost:8080` asks for localhost:9000.
"""

import re
from collections.abc import Iterable

from bulkput.transport.listening import is_ip

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?", re.ASCII)


def is_ours(host: str | None, names: Iterable[str]) -> bool:
    """Whether the Host header of a request names this machine: by an IP address, localhost, or one of `names`."""
    match = _HOST.fullmatch(host or "")
    if match is None:
        return False
    name = match[1].strip("[]").lower()
    return is_ip(name) or name in ("localhost", *(each.lower() for each in names))
