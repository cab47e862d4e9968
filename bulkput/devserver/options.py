"""Options of a local store: its address, its user, its latency, its limits."""

from dataclasses import dataclass, field
from ipaddress import ip_address


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Seconds the server waits before it answers an object request, by HTTP verb: imitates a far or busy store."""

    put: float = 0.0
    get: float = 0.0
    head: float = 0.0
    post: float = 0.0
    delete: float = 0.0

    def __post_init__(self) -> None:
        if min(self.put, self.get, self.head, self.post, self.delete) < 0:
            raise ValueError("a latency is zero or more seconds")

    def of(self, verb: str) -> float:
        """Seconds for one request with this HTTP verb; 0 for verbs that have no setting."""
        match verb:
            case "PUT":
                return self.put
            case "GET":
                return self.get
            case "HEAD":
                return self.head
            case "POST":
                return self.post
            case "DELETE":
                return self.delete
            case _:
                return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SwiftConstraints:
    """Swift's constraints; the defaults are those of swift/common/constraints.py, and `GET /info` shows them.

    They are options so that tests can lower them: a 413 takes no upload of 5 GiB.
    """

    max_file_size: int = 5_368_709_122
    max_object_name_length: int = 1024  # bytes of UTF-8
    max_container_name_length: int = 256  # bytes of UTF-8
    container_listing_limit: int = 10_000
    account_listing_limit: int = 10_000
    max_meta_name_length: int = 128
    max_meta_value_length: int = 256
    max_meta_count: int = 90
    max_meta_overall_size: int = 4096
    max_header_size: int = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class SloConstraints:
    """Limits of static large objects; the defaults are those of swift/common/middleware/slo.py.

    `GET /info` shows them.
    """

    max_manifest_segments: int = 1000  # that name objects; inline data does not count
    max_manifest_size: int = 8_388_608  # bytes of JSON
    yield_frequency: float = 10  # seconds between two spaces of a heartbeat


@dataclass(frozen=True, slots=True, kw_only=True)
class DevServerOptions:
    """How to run a local store. Raises ValueError for an address that is not loopback, unless `allow_remote`."""

    host: str = "127.0.0.1"  # an address, or "localhost"
    port: int = 0  # 0: any free port, so that two runs never collide
    user: str = "test:tester"  # TempAuth's own example user; the account becomes AUTH_test
    key: str = field(default="testing", repr=False)
    token_life: float = 86_400.0  # seconds; TempAuth's default
    latency: Latency = Latency()
    limits: SwiftConstraints = SwiftConstraints()
    slo: SloConstraints = SloConstraints()
    container_rate: float | None = None  # writes per second that each container takes; None: all
    tells_container_rate: bool = False  # in `GET /info`, as Swift's ratelimit middleware does
    allow_remote: bool = False  # the default key is published, so on a public address anyone could store

    def __post_init__(self) -> None:
        account, colon, user = self.user.partition(":")
        if not (account and colon and user):
            raise ValueError(f"the user is written ACCOUNT:USER, not {self.user!r}")
        if self.container_rate is not None and not 0 < self.container_rate < float("inf"):
            raise ValueError(f"a rate is a number above 0, not {self.container_rate}")
        if not self.allow_remote and not is_loopback(self.host):
            raise ValueError(
                f"the development store binds loopback addresses only, not {self.host!r}, unless allow_remote=True"
            )

    @property
    def account(self) -> str:
        """The account's name in URLs: `AUTH_` and the first half of the user, as TempAuth does."""
        return "AUTH_" + self.user.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`. Other names are not resolved: their addresses may change."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
