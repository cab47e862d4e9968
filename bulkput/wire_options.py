"""The options about connections, deadlines and retries, two groups of `UploadOptions`."""

import math
from typing import Literal

from bulkput.errors import UsageError
from bulkput.option_types import check_fields
from bulkput.record import frozen

KIB = 1024
MIB = 1024 * KIB


@frozen(kw_only=True)
class RetryOptions:
    """When and how often a failed request is made again. Pauses have full jitter: random(0, min(cap, base x 2^n))."""

    retries: int = 8
    """Retries per object. With pauses from 1 to 30 s, 8 last a minute on average (random, so seldom below twenty
    seconds), which outlasts the restart of a proxy."""
    first_retries: int = 3
    """Retries until a server has answered once: of a login, a look at the bucket, a listing, a HEAD. An object's own
    PUT gets all `retries`, unless the host does not exist, or one side speaks TLS there and the other does not. 3,
    whose pauses last from 3.5 to 7 s, because a wrong address is likelier than a restart that takes longer. It holds as
    well for objects whose answers do not prove their bytes, as long as none is stored: a proxy is likelier than chance.
    More for a run that begins while its server does. Never more than `retries`."""
    base_s: float = 1.0
    """The longest first pause. It doubles with each retry. One second, so that a short fault costs little."""
    cap_s: float = 30.0
    """The longest pause, unless the store itself names a time. 30 s, so that a store that comes back is noticed."""
    max_retry_after_s: float = 120.0
    """Cut a longer Retry-After to this. A wrong clock on a server must not stop a run for a day."""
    total_s: float = 300.0
    """Make no third or further attempt for one object after its attempts and pauses have taken this long. Waits for a
    slot do not count. A second attempt is always made, because a large file may take longer by itself."""


@frozen(kw_only=True)
class WireOptions:
    """Connections and deadlines."""

    transport: Literal["wire", "aiohttp"] = "wire"
    """The HTTP client of all requests: our own (wire), or aiohttp, which serves downloads and whatever goes through a
    proxy in any case. wire takes a fraction of the CPU of aiohttp."""
    concurrency: int | None = None
    """Requests in flight, and so connections. By default the run finds the number itself (`policy/tune.py`), because
    the best one depends on the store, the network and the files."""
    first_concurrency: int = 64
    """The number of requests in flight that the search starts with. Small objects are bound by latency: 64 hides 270 ms
    down to 4 ms per object. Users of rclone (4) and of aws and swiftclient (10) complain about lower defaults."""
    max_concurrency: int = 256
    """The highest number of requests in flight that the search may choose. The memory of a run depends on it
    (docs/tuning.md). If more pays, ask for a number."""
    timeout_s: float = 90.0
    """A request without a body may take this many seconds. More than 60, because Swift's ratelimit middleware may hold
    a request for up to 60 s before it answers."""
    min_rate: int = 64 * KIB
    """Bytes per second. A body adds size / min_rate seconds to the deadline of its request, so that nothing hangs
    forever and slow lines still finish."""
    connect_timeout_s: float = 15.0
    """A connection has to be made within this many seconds. A live server answers sooner, also after a lost packet."""
    idle_timeout_s: float = 30.0
    """Close a kept connection after this many seconds without use. Below Swift's 60 s and the limits of most balancers,
    so that our side closes first."""
    expect_above: int = 16 * MIB
    """Send `Expect: 100-continue` only for bodies larger than this. There its round trip is below one percent of the
    transfer, and a refusal saves sending the body. For small bodies it would double the latency."""
    examines_http: bool = True
    """Make two extra requests per run to a plain HTTP server. OPTIONS tells whether a PUT that breaks off may leave
    half an object, HEAD whether the first object is really there. False is right for a server that is known to put
    whole objects into place, without a proxy before it."""
    verify_tls: bool = True
    """Check TLS certificates and host names. Checked by default: else anybody on the way can read the token."""
    ca_file: str | None = None
    """A file of certificate authorities to trust. By default those of the system; the command line takes OS_CACERT."""
    cert_file: str | None = None
    """A file with a certificate (PEM) for servers that ask for one. By default none; the command line takes OS_CERT."""
    key_file: str | None = None
    """The file with the key of `cert_file`. By default the key is in that file, too; the command line takes OS_KEY."""
    objects_per_s: float | None = None
    """Send this many requests for objects per second at most. By default as many as the store answers, which is right
    for a run that is alone on its store, and wrong where others share it. Every request for an object counts, as for
    rclone's tpslimit: PUT, HEAD, COPY and DELETE, retries too; a bulk-delete counts once for each of its objects.
    Listings, logins and requests for the container do not count: they are few."""
    container_objects_per_s: float | None = None
    """Send this many requests per second at most that write or remove objects of one container. By default as many as
    it takes. For providers that limit each container, which count such requests only: PUT, COPY, POST and DELETE, and
    parts of large objects in the container of the segments. With a rate, or with objects that are spread over
    containers (docs/spread.md), the run also asks the cluster for its limits, and a container that refuses gets fewer
    requests, while the others go on."""
    bytes_per_s: float | None = None
    """Send this many bytes of objects per second at most. By default as many as the network takes. Bytes count as they
    are sent, as for rclone's bwlimit: after compression, and again for each retry. Request heads do not count, and a
    copy by the store itself sends no bytes from here."""
    rate_shared: str | None = None
    """The URL of a service (`bulkput rate`) that shares one rate among independent runs. This run sends what the
    service leases to it, and nothing while the service does not answer. By default none, since a run that is alone
    needs no service. `objects_per_s` and `bytes_per_s` hold beside it. BULKPUT_RATE_TOKEN has the token, if there is
    one."""

    def __post_init__(self) -> None:
        """Raises UsageError for a wrong type, and for a number that would send nothing or mean nothing."""
        check_fields(self, "wire.")
        for name in ("objects_per_s", "container_objects_per_s", "bytes_per_s"):
            rate = getattr(self, name)
            if rate is not None and not math.isfinite(rate):
                raise UsageError(f"`wire.{name}` is a number above 0, or None for no limit, not {rate!r}")

    @property
    def start(self) -> int:
        """Requests in flight when a run begins."""
        return self.concurrency if self.concurrency is not None else min(self.first_concurrency, self.max_concurrency)

    @property
    def highest(self) -> int:
        """Requests in flight at most."""
        return self.concurrency if self.concurrency is not None else self.max_concurrency
