"""A real OpenStack Keystone in front of a real Swift, for tests. `scripts/keystone_server.py` says what is in it."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from tests.servers.judge import SwiftJudge
from tests.servers.swift import SCRIPT, script_running

VARIABLES = (
    "OS_AUTH_URL",
    "OS_USERNAME",
    "OS_PASSWORD",
    "OS_PROJECT_NAME",
    "OS_USER_DOMAIN_NAME",
    "OS_PROJECT_DOMAIN_NAME",
    "OS_REGION_NAME",
    "OS_IDENTITY_API_VERSION",
)
PROJECT = ("OS_PROJECT_NAME", "OS_PROJECT_DOMAIN_NAME")
USER = ("OS_USERNAME", "OS_USER_DOMAIN_NAME")
CLOUD = ("OS_AUTH_URL", "OS_REGION_NAME", "OS_IDENTITY_API_VERSION")


@dataclass(frozen=True, slots=True)
class Credential:
    """An application credential of the user."""

    id: str
    name: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeystoneSwift:
    """A Keystone with a Swift, and the four ways of one user to log in, as environments."""

    password: Mapping[str, str] = field(repr=False)
    """Name and password. The other ways are made of its values."""
    root: Path
    """Where the servers write their logs."""
    project_id: str
    user_id: str
    credential: Credential
    expired: Credential
    """Has been valid until 1970."""
    swift_port: int

    @property
    def environment(self) -> dict[str, str]:
        return dict(self.password)

    @property
    def application_credential(self) -> dict[str, str]:
        """By ID and secret, as most people have it."""
        return self.by_credential(self.credential)

    @property
    def application_credential_name(self) -> dict[str, str]:
        """By its name, which needs the user's."""
        named = {"OS_APPLICATION_CREDENTIAL_NAME": self.credential.name}
        secret = {"OS_APPLICATION_CREDENTIAL_SECRET": self.credential.secret}
        return {"OS_AUTH_TYPE": "v3applicationcredential", **self._of(CLOUD, USER), **named, **secret}

    def by_credential(self, credential: Credential) -> dict[str, str]:
        identified = {"OS_APPLICATION_CREDENTIAL_ID": credential.id}
        secret = {"OS_APPLICATION_CREDENTIAL_SECRET": credential.secret}
        return {"OS_AUTH_TYPE": "v3applicationcredential", **self._of(CLOUD), **identified, **secret}

    def by_token(self) -> dict[str, str]:
        """By a new token, from which a client makes one for the project."""
        return {"OS_AUTH_TYPE": "v3token", "OS_TOKEN": self.token(), **self._of(CLOUD, PROJECT)}

    def token(self) -> str:
        """Gives a new token for the project, without bulkput."""
        who = {"name": self.password["OS_USERNAME"], "password": self.password["OS_PASSWORD"]}
        domain = {"name": self.password["OS_USER_DOMAIN_NAME"]}
        identity = {"methods": ["password"], "password": {"user": {**who, "domain": domain}}}
        return self.login({"identity": identity, "scope": {"project": {"id": self.project_id}}})

    def login(self, auth: Mapping[str, Any]) -> str:
        """Gives the token that Keystone answers to any `auth`; raises HTTPError if there is none."""
        url, headers = f"{self.password['OS_AUTH_URL']}/auth/tokens", {"Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps({"auth": auth}).encode(), headers)
        try:
            with urllib.request.urlopen(request) as answer:
                token: str = answer.headers["X-Subject-Token"]
                return token
        except HTTPError as error:
            error.close()  # it holds the connection
            raise

    def call(self, method: str, path: str, body: Any = None, *, token: str, subject: str = "") -> Any:
        """Sends a request to Keystone, such as `GET /users`; gives the answer's JSON, if it has any."""
        headers = {"Content-Type": "application/json", "X-Auth-Token": token}
        headers |= {"X-Subject-Token": subject} if subject else {}
        content = json.dumps(body).encode() if body is not None else None
        asked = urllib.request.Request(f"{self.password['OS_AUTH_URL']}{path}", content, headers, method=method)
        with urllib.request.urlopen(asked) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def revoke(self, token: str) -> None:
        """Makes a token invalid, as a logout does. Swift goes on with one that it has seen, for minutes."""
        self.call("DELETE", "/auth/tokens", token=token, subject=token)

    def revoked_token(self) -> str:
        """Gives a token that Keystone and Swift refuse."""
        token = self.token()
        self.revoke(token)
        return token

    def another_user(self, name: str) -> KeystoneSwift:
        """Gives the same cloud to a new user with the same rights, who may be spoilt."""
        who = {"name": "admin", "domain": {"id": "default"}}
        identity = {"methods": ["password"], "password": {"user": {**who, "password": "admin"}}}
        admin = self.login({"identity": identity, "scope": {"project": who}})
        secret, project = self.password["OS_PASSWORD"], self.project_id
        made = self.call("POST", "/users", {"user": {"name": name, "password": secret}}, token=admin)["user"]["id"]
        (role,) = self.call("GET", "/roles?name=member", token=admin)["roles"]
        self.call("PUT", f"/projects/{project}/users/{made}/roles/{role['id']}", token=admin)
        user = replace(self, password={**self.password, "OS_USERNAME": name}, user_id=made)
        given = {"name": "uploads", "secret": f"secret-of-{name}"}
        path = f"/users/{made}/application_credentials"
        credential = self.call("POST", path, {"application_credential": given}, token=user.token())
        return replace(user, credential=Credential(credential["application_credential"]["id"], **given))

    def change_password(self) -> None:
        old = self.password["OS_PASSWORD"]
        user = {"original_password": old, "password": f"{old}-changed"}
        self.call("POST", f"/users/{self.user_id}/password", {"user": user}, token=self.token())

    def delete_credential(self) -> None:
        path = f"/users/{self.user_id}/application_credentials/{self.credential.id}"
        self.call("DELETE", path, token=self.token())

    def logins(self) -> list[str]:
        """Gives the User-Agent of each successful login so far; Swift's own and the script's are left out."""
        lines = (self.root / "keystone.log").read_text(errors="replace").splitlines()
        agents = [line.partition("201 CREATED ")[2] for line in lines if line.startswith("POST /v3/auth/tokens 201 ")]
        return [agent for agent in agents if not agent.startswith(("keystonemiddleware", "scripts/swift"))]

    def storage_url(self, interface: str = "public", region: str = "RegionOne") -> str:
        """Gives the address that the catalog has."""
        host = "localhost" if interface == "internal" else "127.0.0.1"
        version = "v1.0" if interface == "admin" else "v1"
        account = "AUTH" if region == "RegionOne" else "TWO"
        return f"http://{host}:{self.swift_port}/{version}/{account}_{self.project_id}"

    def judge(self) -> SwiftJudge:
        """Gives a judge with a new token: it lasts as long as that."""
        return SwiftJudge("", "", "", self.storage_url(), self.token())

    def clouds_yaml(self, path: Path) -> Path:
        """Writes a clouds.yaml with the clouds `password`, `credential` and `expired`. JSON is YAML."""
        named = {name.removeprefix("OS_").lower(): value for name, value in self.password.items()}
        common = {"region_name": named.pop("region_name"), "identity_api_version": named.pop("identity_api_version")}
        clouds = {"password": {"auth": named, **common}}
        for cloud, credential in (("credential", self.credential), ("expired", self.expired)):
            auth = {"auth_url": named["auth_url"], "application_credential_id": credential.id}
            auth["application_credential_secret"] = credential.secret
            clouds[cloud] = {"auth_type": "v3applicationcredential", "auth": auth, **common}
        path.write_text(json.dumps({"clouds": clouds}, indent=2))
        return path

    def _of(self, *groups: tuple[str, ...]) -> dict[str, str]:
        return {name: self.password[name] for group in groups for name in group}


@contextmanager
def real_keystone_swift(token_s: int | None = None) -> Iterator[KeystoneSwift]:
    """Gives a new Keystone with a Swift, whose tokens live `token_s` seconds (an hour); it ends with the block."""
    environ = {**os.environ, "KEYSTONE_TOKEN_S": str(token_s)} if token_s is not None else None
    with script_running(SCRIPT, "--keystone", variables=("SWIFT_ROOT", *VARIABLES), environ=environ) as values:
        root = Path(values[0])
        facts = json.loads((root / "keystone.json").read_text())
        yield KeystoneSwift(
            password=dict(zip(VARIABLES, values[1:], strict=True)),
            root=root,
            project_id=facts["project_id"],
            user_id=facts["user_id"],
            credential=Credential(**facts["application_credential"]),
            expired=Credential(**facts["expired_credential"]),
            swift_port=facts["swift_port"],
        )
