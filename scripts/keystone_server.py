"""A real OpenStack Keystone on SQLite, with a small cloud in it, made anew at each start.

`swift_server` runs this file with the Python that Keystone is installed in. Everything lives below `root`:
`keystone-manage` makes the database and the administrator, Keystone's own HTTP API the rest. Both run in this process:
on two cores that takes two seconds, most of them imports. `keystone.json` says which IDs and credentials were made; it
is there before the port listens. The log has one line per request.
"""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import sqlite3
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

USER, PASSWORD, PROJECT, DOMAIN, REGION = "tester", "testing", "test", "Default", "RegionOne"
SERVICE_USER, SERVICE_PASSWORD, SERVICE_PROJECT = "swift", "swift-service", "service"
ADMIN = "admin"
HOUR_S = 3600
NOTES = (
    f"Other projects of {USER}: readers (Swift denies everything), without-swift (nothing in the catalog).",
    f"Other users, same password: stranger (no role), partner (of the domain Partners, with a role in {PROJECT}).",
    f"{REGION} has public, internal and admin addresses; RegionTwo has an account of its own.",
)

# sqlite_synchronous: the database lives as long as the process, and has nothing to lose: it need not wait for the disk.
# password_hash_rounds: the least that bcrypt takes. Its default is slow on purpose, and a login would be mostly that.
# cache: without one, a request reads the database for each role and project, and opens the file each time: 200 ms on a
# slow machine, 20 ms with it. Each process keeps its own.
CONFIG = """
[DEFAULT]
default_log_levels = alembic=WARNING,keystone.common.password_hashing=ERROR
[database]
connection = sqlite:///{root}/keystone.db
sqlite_synchronous = false
[auth]
methods = password,token,application_credential,totp
[identity]
password_hash_rounds = 4
[token]
expiration = {token_s}
[fernet_tokens]
key_repository = {root}/fernet-keys
[fernet_receipts]
key_repository = {root}/fernet-keys
[credential]
key_repository = {root}/fernet-keys
[cache]
backend = dogpile.cache.memory
"""


def main(root: Path, port: int, swift_port: int, token_s: int) -> None:
    """Make the cloud, then serve it on `port` of 127.0.0.1 until a signal ends this process.

    Tokens live `token_s` only after that: making the cloud takes longer than a short one, on a busy machine.
    """
    make_keys(root)
    write_config(root, root, HOUR_S)
    manage(root, "db_sync")
    url = f"http://127.0.0.1:{port}/v3"
    manage(root, "bootstrap", *bootstrap_options(ADMIN, ADMIN, REGION, url))
    application = keystone()
    Cloud(application.test_client()).make(root, swift_port)
    from keystone.conf import CONF  # noqa: PLC0415 - found only by the Python it is in

    CONF.set_override("expiration", token_s, "token")
    serve(application, port)


def serve_swift(root: Path, port: int) -> None:
    """Serve the cloud that is there a second time, to Swift alone, with tokens that live as long as usual.

    keystonemiddleware takes a token that lives less than 30 s for one that has expired: of short tokens it would want
    a new one for each of its questions, and Swift would do little else.
    """
    directory = root / "keystone-for-swift"
    directory.mkdir()
    write_config(directory, root, HOUR_S)
    serve(keystone(), port)


def keystone() -> Any:
    """The application, with the configuration that was written last."""
    from keystone.server.wsgi import initialize_public_application  # noqa: PLC0415 - found only by the Python it is in

    sys.argv[1:] = []  # Keystone takes the command line for its own
    return initialize_public_application()


def serve(application: Any, port: int) -> None:
    from cheroot.wsgi import Server  # noqa: PLC0415 - as all of Keystone

    # Cheroot lets five connections wait. Of sixty that come at once, Linux drops most: each then waits for seconds, or
    # for a minute.
    Server(("127.0.0.1", port), logged(application), request_queue_size=1024).start()


def make_keys(root: Path) -> None:
    """The keys that sign tokens: 1 is used, 0 would be next."""
    keys = root / "fernet-keys"
    keys.mkdir(mode=0o700)
    for name in ("0", "1"):
        (keys / name).write_bytes(base64.urlsafe_b64encode(os.urandom(32)))


def write_config(directory: Path, root: Path, token_s: int) -> None:
    """Write keystone.conf into `directory`; database and keys are in `root`."""
    (directory / "keystone.conf").write_text(CONFIG.format(root=root, token_s=token_s))
    os.environ["OS_KEYSTONE_CONFIG_DIR"] = str(directory)


def manage(root: Path, *words: str) -> None:
    """Run keystone-manage in a fork: Keystone can be set up once in a process, and its imports are the slow part."""
    from keystone.cmd import cli  # noqa: PLC0415

    command = ["keystone-manage", "--config-file", str(root / "keystone.conf"), *words]
    child = multiprocessing.get_context("fork").Process(target=cli.main, args=(command,))
    child.start()
    child.join()
    if child.exitcode != 0:
        sys.exit(f"keystone-manage {words[0]} ended with status {child.exitcode}")


def bootstrap_options(user: str, password: str, region: str, url: str) -> Iterable[str]:
    values = {"username": user, "password": password, "region-id": region}
    urls = {f"{interface}-url": url for interface in ("public", "internal", "admin")}
    return [f"--bootstrap-{name}={value}" for name, value in {**values, **urls}.items()]


class Cloud:
    """What is in this Keystone. `client` calls its HTTP API in this process."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.token = self.login(ADMIN, ADMIN, ADMIN)
        self.roles = {role["name"]: role["id"] for role in self.call("GET", "/v3/roles")["roles"]}

    def make(self, root: Path, swift_port: int) -> None:
        """Make services, projects and users; write their IDs to keystone.json."""
        self.make_object_store(swift_port)
        service = self.project(SERVICE_PROJECT)
        self.grant("service", service, self.user(SERVICE_USER, SERVICE_PASSWORD))
        project, tester = self.project(PROJECT), self.user(USER, PASSWORD)
        self.grant("member", project, tester)
        self.grant("reader", self.project("readers"), tester)  # logs in there; Swift denies all
        self.grant("member", self.project_without_swift(), tester)
        self.user("stranger", PASSWORD)  # has no role anywhere
        self.grant("member", project, self.user("partner", PASSWORD, domain=self.domain("Partners")))
        facts = {
            "swift_port": swift_port,
            "project_id": project,
            "user_id": tester,
            "application_credential": self.application_credential(tester, "uploads"),
            "expired_credential": self.expired_credential(tester, root / "keystone.db"),
        }
        (root / "keystone.json").write_text(json.dumps(facts))

    def make_object_store(self, port: int) -> None:
        """A service with three addresses that mean the same, and a second region: an account of its own there."""
        service = self.post("/v3/services", "service", {"type": "object-store", "name": "swift"})
        self.post("/v3/regions", "region", {"id": "RegionTwo"})
        for region, interface, url in (
            (REGION, "public", f"http://127.0.0.1:{port}/v1/AUTH_%(project_id)s"),
            (REGION, "internal", f"http://localhost:{port}/v1/AUTH_%(project_id)s"),
            (REGION, "admin", f"http://127.0.0.1:{port}/v1.0/AUTH_%(project_id)s"),
            ("RegionTwo", "public", f"http://127.0.0.1:{port}/v1/TWO_%(project_id)s"),
        ):
            fields = {"service_id": service, "region_id": region, "interface": interface, "url": url}
            self.post("/v3/endpoints", "endpoint", fields)

    def project_without_swift(self) -> str:
        """A project whose catalog has nothing but Keystone."""
        project = self.project("without-swift")
        services = self.call("GET", "/v3/services?type=identity")["services"]
        for endpoint in self.call("GET", f"/v3/endpoints?service_id={services[0]['id']}")["endpoints"]:
            self.call("PUT", f"/v3/OS-EP-FILTER/projects/{project}/endpoints/{endpoint['id']}")
        return project

    def application_credential(self, user: str, name: str, **fields: str) -> Mapping[str, str]:
        """An application credential of the tester. Only its owner can make one, so this logs in as the tester."""
        token = self.login(USER, PASSWORD, PROJECT)
        given = {"name": name, "secret": f"secret-of-{name}", **fields}
        path = f"/v3/users/{user}/application_credentials"
        made = self.call("POST", path, {"application_credential": given}, token=token)["application_credential"]
        return {"id": made["id"], "name": name, "secret": given["secret"]}

    def expired_credential(self, user: str, database: Path) -> Mapping[str, str]:
        """Keystone makes none that has expired already, so its time is moved back to 1970 afterwards."""
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        made = self.application_credential(user, "expired", expires_at=tomorrow.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
        with sqlite3.connect(database) as connection:
            connection.execute("UPDATE application_credential SET expires_at = 0 WHERE name = 'expired'")
        return made

    def domain(self, name: str) -> str:
        return self.post("/v3/domains", "domain", {"name": name})

    def project(self, name: str) -> str:
        return self.post("/v3/projects", "project", {"name": name, "domain_id": "default"})

    def user(self, name: str, password: str, *, domain: str = "default") -> str:
        return self.post("/v3/users", "user", {"name": name, "password": password, "domain_id": domain})

    def grant(self, role: str, project: str, user: str) -> None:
        self.call("PUT", f"/v3/projects/{project}/users/{user}/roles/{self.roles[role]}")

    def login(self, user: str, password: str, project: str) -> str:
        """Give a token."""
        answer = self.client.post("/v3/auth/tokens", json=login_request(user, password, project))
        token: str = checked(answer).headers["X-Subject-Token"]
        return token

    def post(self, path: str, kind: str, fields: Mapping[str, str]) -> str:
        """Make one of `kind`; give its ID."""
        made: str = self.call("POST", path, {kind: fields})[kind]["id"]
        return made

    def call(self, method: str, path: str, body: Any = None, *, token: str = "") -> Any:
        answer = self.client.open(path, method=method, json=body, headers={"X-Auth-Token": token or self.token})
        return checked(answer).json


def login_request(user: str, password: str, project: str) -> Mapping[str, Any]:
    """The body of a login with names in the domain Default."""
    domain = {"name": DOMAIN}
    who = {"user": {"name": user, "domain": domain, "password": password}}
    scope = {"project": {"name": project, "domain": domain}}
    return {"auth": {"identity": {"methods": ["password"], "password": who}, "scope": scope}}


def checked(answer: Any) -> Any:
    if answer.status_code >= 300:
        sys.exit(f"{answer.request.method} {answer.request.path}: {answer.status} {answer.text}")
    return answer


def logged(application: Callable[..., Any]) -> Callable[..., Any]:
    """Write a line for each request to the log, which is how a test counts logins, and knows whose they are."""

    def call(environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Any:
        def start(status: str, *rest: Any) -> Any:
            who = environ.get("HTTP_USER_AGENT", "-")
            print(environ["REQUEST_METHOD"], environ["PATH_INFO"], status, who, file=sys.stderr, flush=True)  # noqa: T201
            return start_response(status, *rest)

        return application(environ, start)

    return call


if __name__ == "__main__":
    directory, *numbers = sys.argv[1:]
    serving = {3: main, 1: serve_swift}[len(numbers)]
    serving(Path(directory), *map(int, numbers))
