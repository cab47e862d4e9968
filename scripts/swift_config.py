"""The configuration of a small but real OpenStack Swift: one account, container and object server, and a proxy.

Everything lives below one directory, `root`. Each departure from Swift's defaults says what it is good for.
"""

from __future__ import annotations

import logging
import os
import pwd
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

STORAGE = ("account", "container", "object")
USER, KEY = "test:tester", "testing"

SWIFT = """
[swift-hash]
swift_hash_path_prefix = bulkput
swift_hash_path_suffix = bulkput
[storage-policy:0]
name = one
default = yes
"""

# The timeouts are far above Swift's own (0.5 s to connect, 1 s for the listing, 10 s for an answer). On two busy
# cores those turn load into 503s, and into listings that miss an object for good: no updater runs here to repair
# them.
#
# workers = 0: each server is one process. Two cores, 16 KB objects, 64 in flight, objects/s of two runs each:
#   proxy 0 object 0   106 106      proxy 2 object 0                107 100      proxy 0 object 2 container 2   97 100
#   proxy 1 object 0   111 110      proxy 2 object 2                102 101      proxy 2 object 2 container 2  103 105
# Python's own time in four servers is the limit, so more processes only take turns.
COMMON = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {root}
devices = {root}/devices
mount_check = false
disable_fallocate = true
user = {user}
log_custom_handlers = swift_config.log_to_stderr
log_level = {log_level}
"""

STORAGE_SERVER = """
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
conn_timeout = 10
node_timeout = 60
container_update_timeout = 60
"""

# error_suppression_limit: with a single replica, ten errors would otherwise close the store for a minute.
# delete_concurrency: of two removals at once of a segment that is named twice, both may find it, and the report varies.
# slo, dlo: from the tenth small segment on a download gets one segment a second; tests read such objects.
# cache: tokens live there. Of Swift's own two connections and one second of patience, 100 requests at once run out, and
# are told that their token is not valid.
# ratelimit: present for what /info says; as long as no limit is set it lets everything through.
PROXY_SERVER = """
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk tempurl ratelimit {filters} \
copy container-quotas account-quotas slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
conn_timeout = 10
node_timeout = 60
recoverable_node_timeout = 60
error_suppression_limit = 1000000
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
memcache_max_connections = 256
connect_timeout = 10
pool_timeout = 60
io_timeout = 60
error_suppression_limit = 1000000
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:tempurl]
use = egg:swift#tempurl
[filter:ratelimit]
use = egg:swift#ratelimit
[filter:copy]
use = egg:swift#copy
[filter:container-quotas]
use = egg:swift#container_quotas
[filter:account-quotas]
use = egg:swift#account_quotas
[filter:slo]
use = egg:swift#slo
rate_limit_after_segment = 1000
delete_concurrency = 1
[filter:dlo]
use = egg:swift#dlo
rate_limit_after_segment = 1000
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
[filter:symlink]
use = egg:swift#symlink
"""


@dataclass(frozen=True)
class Login:
    """The filters of the proxy that know who asks, and their settings."""

    filters: str
    settings: str


TEMPAUTH = Login(
    "s3api tempauth",
    """
[filter:s3api]
use = egg:swift#s3api
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
user_test_reader = reading
user_admin_admin = admin .admin .reseller_admin
""",
)


def by_keystone(port: int, user: str, password: str, project: str) -> Login:
    """Tokens are those of the Keystone at `port`; Swift logs in there by itself, to ask whose they are.

    cache: Swift's own memcached client holds the answers, as in Swift's sample configuration. reseller_prefix: each
    project has two accounts, one for each region of the catalog. S3 is left out: it would want EC2 credentials.
    """
    return Login(
        "authtoken keystoneauth",
        f"""
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = http://127.0.0.1:{port}/v3
auth_url = http://127.0.0.1:{port}
auth_type = password
username = {user}
password = {password}
project_name = {project}
user_domain_id = default
project_domain_id = default
service_token_roles_required = true
delay_auth_decision = true
include_service_catalog = false
cache = swift.cache
[filter:keystoneauth]
use = egg:swift#keystoneauth
reseller_prefix = AUTH, TWO
operator_roles = member, admin
""",
    )


def write_storage(root: Path, ports: Mapping[str, int]) -> None:
    """Write swift.conf, one ring and one configuration per storage server, and make the device."""
    (root / "devices" / "d1").mkdir(parents=True)
    (root / "swift.conf").write_text(SWIFT)
    for kind in STORAGE:
        write_ring(root / f"{kind}.ring.gz", ports[kind])
        server = STORAGE_SERVER.format(kind=kind)
        (root / f"{kind}.conf").write_text(common(root, ports[kind], log_level="WARNING") + server)


def write_proxy(root: Path, port: int, login: Login, *, memcached: int) -> None:
    """Write the proxy's configuration; its log has one line per request, which is how a test counts them."""
    server = PROXY_SERVER.format(filters=login.filters, memcached=memcached)
    (root / "proxy.conf").write_text(common(root, port, log_level="INFO") + server + login.settings)


def common(root: Path, port: int, *, log_level: str) -> str:
    user = pwd.getpwuid(os.getuid()).pw_name
    return COMMON.format(root=root, port=port, user=user, log_level=log_level)


def write_ring(path: Path, port: int) -> None:
    """A ring of 64 partitions with one replica on one device.

    In this process: `swift-ring-builder` does the same, but takes half a second for each of nine calls.
    """
    from swift.common.ring import RingBuilder  # noqa: PLC0415 - Swift's own, found only by the Python it is installed in

    builder = RingBuilder(part_power=6, replicas=1, min_part_hours=1)
    builder.add_dev(
        {"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "d1", "weight": 1.0, "meta": ""}
    )
    builder.rebalance()
    builder.get_ring().save(str(path))


def log_to_stderr(*arguments: object) -> None:
    """Called by Swift for each of its loggers (`log_custom_handlers`): a file instead of this machine's syslog."""
    logger = next(value for value in arguments if isinstance(value, logging.Logger))
    handler = logging.StreamHandler(sys.__stderr__)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.handlers[:] = [handler]
