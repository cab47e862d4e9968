"""The servers of a whole OpenStack Swift: memcached, three storage servers and a proxy; also a Keystone, if asked.

`scripts/swift` runs this file with the Python that Swift is installed in; `supervisor` starts, watches and ends them.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pwd
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import keystone_server
import swift_config
from supervisor import Cluster, Script, StartError, is_listening

SHORT_S = 60
"""Tokens that live less than this need a second Keystone for Swift's own (`keystone_server.serve_swift`)."""


class Swift(Cluster):
    name = "swift"
    hidden = ("OS_", "ST_")
    brings = ("swift",)

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.ports = {kind: self.reserve_port() for kind in (*swift_config.STORAGE, "proxy")}
        auth = f"http://127.0.0.1:{self.ports['proxy']}/auth/v1.0"
        self.credentials = {"ST_AUTH": auth, "ST_USER": swift_config.USER, "ST_KEY": swift_config.KEY}

    def start(self) -> None:
        check_extended_attributes(self.root)
        environment = Path(sys.prefix) / "bin"
        self.commands.mkdir()
        (self.commands / "swift").symlink_to(environment / "swift")  # nothing else of that environment
        self.start_memcached()
        swift_config.write_storage(self.root, self.ports)
        for kind in swift_config.STORAGE:
            self.start_swift(kind, [str(environment / f"swift-{kind}-server"), str(self.root / f"{kind}.conf")])
        self.wait_until((self.root / "memcached.port").exists)
        _, _, memcached = (self.root / "memcached.port").read_text().split()[:3]
        swift_config.write_proxy(self.root, self.ports["proxy"], self.login(), memcached=int(memcached))
        self.start_swift("proxy", [str(environment / "swift-proxy-server"), str(self.root / "proxy.conf")])
        self.wait_until(lambda: all(map(is_listening, self.ports.values())))
        self.wait_until(self.has_login)

    def login(self) -> swift_config.Login:
        return swift_config.TEMPAUTH

    def start_memcached(self) -> None:
        """memcached holds tokens. It takes a free port by itself and writes it to a file."""
        program = shutil.which("memcached", path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/local/bin")
        if program is None:
            raise StartError("memcached is not installed; scripts/tools installs it")
        user = pwd.getpwuid(os.getuid()).pw_name
        command = [program, "-l", "127.0.0.1", "-p", "-1", "-U", "0", "-u", user, "-t", "1"]
        self.start_server("memcached", command, {"MEMCACHED_PORT_FILENAME": str(self.root / "memcached.port")})

    def start_swift(self, kind: str, command: list[str]) -> None:
        """PYTHONPATH is where Swift finds `swift_config.log_to_stderr`."""
        self.start_server(kind, command, {"PYTHONPATH": str(Path(__file__).parent)})


class KeystoneSwift(Swift):
    """A Swift that knows its users by Keystone's tokens."""

    option = "--keystone"

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.token_s = token_lifetime(os.environ.get("KEYSTONE_TOKEN_S", "3600"))
        self.ports["keystone"] = self.reserve_port()
        self.credentials = {
            "OS_AUTH_URL": f"http://127.0.0.1:{self.ports['keystone']}/v3",
            "OS_USERNAME": keystone_server.USER,
            "OS_PASSWORD": keystone_server.PASSWORD,
            "OS_PROJECT_NAME": keystone_server.PROJECT,
            "OS_USER_DOMAIN_NAME": keystone_server.DOMAIN,
            "OS_PROJECT_DOMAIN_NAME": keystone_server.DOMAIN,
            "OS_REGION_NAME": keystone_server.REGION,
            "OS_IDENTITY_API_VERSION": "3",
        }

    def start(self) -> None:
        self.start_keystone("keystone", self.ports["keystone"], self.ports["proxy"], self.token_s)
        if self.token_s < SHORT_S:
            self.ports["keystone-for-swift"] = self.reserve_port()
            self.wait_until(lambda: is_listening(self.ports["keystone"]))
            self.start_keystone("keystone-for-swift", self.ports["keystone-for-swift"])
        super().start()
        made = json.loads((self.root / "keystone.json").read_text())["application_credential"]
        self.notes = [
            "The same user by an application credential:",
            "  unset OS_USERNAME OS_PASSWORD OS_PROJECT_NAME OS_USER_DOMAIN_NAME OS_PROJECT_DOMAIN_NAME",
            "  export OS_AUTH_TYPE=v3applicationcredential",
            f"  export OS_APPLICATION_CREDENTIAL_ID={made['id']} OS_APPLICATION_CREDENTIAL_SECRET={made['secret']}",
            *keystone_server.NOTES,
        ]

    def start_keystone(self, name: str, *numbers: int) -> None:
        """-W ignore: deprecations of its libraries are nobody's business here."""
        program = str(Path(keystone_server.__file__))
        self.start_server(name, [sys.executable, "-W", "ignore", program, str(self.root), *map(str, numbers)])

    def login(self) -> swift_config.Login:
        who = (keystone_server.SERVICE_USER, keystone_server.SERVICE_PASSWORD, keystone_server.SERVICE_PROJECT)
        return swift_config.by_keystone(self.ports.get("keystone-for-swift", self.ports["keystone"]), *who)

    def has_login(self) -> bool:
        """Whether Swift takes a token of Keystone."""
        who = (keystone_server.USER, keystone_server.PASSWORD, keystone_server.PROJECT)
        body = json.dumps(keystone_server.login_request(*who))
        headers = {"Content-Type": "application/json", "User-Agent": "scripts/swift"}
        login = ask(self.ports["keystone"], "POST", "/v3/auth/tokens", headers, body)
        if login is None or login.status != 201:
            return False
        account = f"/v1/AUTH_{json.loads((self.root / 'keystone.json').read_text())['project_id']}"
        answer = ask(self.ports["proxy"], "HEAD", account, {"X-Auth-Token": login.headers["X-Subject-Token"]})
        return answer is not None and answer.status in (200, 204)


def token_lifetime(value: str) -> int:
    """Seconds. Below five the administrator's token might die before the users are made."""
    if not value.isdecimal() or int(value) < 5:
        raise StartError(f"KEYSTONE_TOKEN_S={value}: give the life of a token in whole seconds, 5 or more")
    return int(value)


def ask(
    port: int, method: str, path: str, headers: Mapping[str, str], body: str | None = None
) -> http.client.HTTPResponse | None:
    """The answer of a server here, without its body; None if there is no answer yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request(method, path, body, dict(headers))
        return connection.getresponse()
    return None


def check_extended_attributes(root: Path) -> None:
    """Swift keeps the metadata of an object in extended attributes of its file."""
    try:
        os.setxattr(root, "user.bulkput", b"1")
    except OSError as error:
        hint = "set SWIFT_DIR to a directory that has them"
        raise StartError(f"{root}: no extended attributes ({error.strerror}); {hint}") from error


if __name__ == "__main__":
    verb, option, rest = sys.argv[1:2], sys.argv[2:3], sys.argv[3:]
    if option == [KeystoneSwift.option]:
        sys.exit(Script(KeystoneSwift, __file__).main([*verb, *rest]))
    sys.exit(Script(Swift, __file__).main([*verb, *option, *rest]))
