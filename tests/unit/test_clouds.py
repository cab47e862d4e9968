"""A cloud of clouds.yaml as variables: where files are looked for, what counts first, and what a wrong file says."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bulkput.errors import Denied, StoreGone, UsageError
from bulkput.options import WireOptions
from bulkput.stores.base import Configured
from bulkput.stores.swift.clouds import of_cloud
from bulkput.stores.swift.environment import configured, login_from
from bulkput.stores.swift.login import LoginRequest
from bulkput.transport.base import Answer
from tests.servers.threads import read_head, tcp_server

AUTH = """
    auth:
      auth_url: https://keystone.example/v3
      username: u
      password: geheim
      project_name: p
"""
CLOUD = f"clouds:\n  mine:{AUTH}"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without files, and an empty working directory."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def environ_of(home: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(home), "XDG_CONFIG_DIRS": str(home / "site"), "OS_CLOUD": "mine", **more}


def loaded(home: Path, **more: str) -> dict[str, str]:
    environ, _ = of_cloud(environ_of(home, **more), WireOptions())
    return environ


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_the_settings_of_a_cloud_become_variables(home: Path) -> None:
    """The mapping also says which cloud it is, and of which file."""
    file = write(home / "work" / "clouds.yaml", CLOUD + "    region_name: east\n    identity_api_version: 3\n")
    environ = loaded(home)
    assert (
        environ.items()
        >= {
            "OS_AUTH_URL": "https://keystone.example/v3",
            "OS_USERNAME": "u",
            "OS_PASSWORD": "geheim",
            "OS_PROJECT_NAME": "p",
            "OS_REGION_NAME": "east",
            "OS_IDENTITY_API_VERSION": "3",
            "OS_INTERFACE": "public",
            "OS_CLOUD": "mine",
            "clouds.yaml": file,
        }.items()
    )


def test_no_variable_beside_os_cloud_reaches_the_cloud(home: Path) -> None:
    """A password of the environment goes to no cloud's server, and a cloud's to no OS_AUTH_URL. Others stay."""
    write(home / "work" / "clouds.yaml", CLOUD.replace("      password: geheim\n", ""))
    strays = {
        "OS_AUTH_URL": "https://other.example", "OS_PASSWORD": "other", "OS_TOKEN": "other", "OS_STORAGE_URL": "x",
        "OS_AUTH_TOKEN": "x", "ST_AUTH": "x", "ST_USER": "x", "ST_KEY": "x", "OS_PROJECT_ID": "x", "OS_CACERT": "x",
    }  # fmt: skip
    environ = loaded(home, **strays, HTTPS_PROXY="http://proxy")
    assert environ["OS_AUTH_URL"] == "https://keystone.example/v3" and environ["HTTPS_PROXY"] == "http://proxy"
    assert not environ.keys() & (strays.keys() - {"OS_AUTH_URL"})
    with pytest.raises(UsageError, match=r"^auth_url is set, and password not: .* \(cloud mine of .*clouds.yaml\)$"):
        login_from(environ)


async def test_a_cloud_is_read_once(home: Path) -> None:
    """What has its settings is taken as it is, even if the file has gone."""
    (home / "gone.yaml").write_text(CLOUD)
    first = await configured(environ_of(home, OS_CLIENT_CONFIG_FILE=str(home / "gone.yaml")), WireOptions())
    (home / "gone.yaml").unlink()
    assert await configured(first.environ, first.wire) == first
    assert await configured({"OS_CLOUD": ""}, WireOptions()) == Configured({"OS_CLOUD": ""}, WireOptions())


def test_region_and_interface_of_the_environment_choose_within_the_cloud(home: Path) -> None:
    """As for `openstack`. Without them it is the first region, and the cloud's own interfaces in their order."""
    write(home / "work" / "clouds.yaml", CLOUD + "    regions: [east, west]\n    interface: [internal, public]\n")
    environ = loaded(home)
    assert (environ["OS_REGION_NAME"], environ["OS_INTERFACE"]) == ("east", "internal,public")
    environ = loaded(home, OS_REGION_NAME="west", OS_INTERFACE="admin")
    assert (environ["OS_REGION_NAME"], environ["OS_INTERFACE"]) == ("west", "admin")
    with pytest.raises(UsageError, match=r"Region north is not a valid region name for cloud mine.*east,west"):
        loaded(home, OS_REGION_NAME="north")


def test_settings_of_a_region_and_of_object_store_count_before_general_ones(home: Path) -> None:
    more = """
    interface: admin
    object_store_interface: internal
    object_store_endpoint_override: https://swift.example/v1/AUTH_%(project_id)s
    regions:
    - name: east
      values:
        auth:
          auth_url: https://east.example
"""
    write(home / "work" / "clouds.yaml", CLOUD + more)
    environ = loaded(home)
    assert environ["OS_AUTH_URL"] == "https://east.example" and environ["OS_INTERFACE"] == "internal"
    assert environ["OS_OBJECT_STORE_ENDPOINT_OVERRIDE"] == "https://swift.example/v1/AUTH_%(project_id)s"


def test_secrets_may_be_in_a_file_of_their_own(home: Path) -> None:
    """secure.yaml, also another one than that beside clouds.yaml."""
    write(home / ".config" / "openstack" / "clouds.yaml", CLOUD.replace("      password: geheim\n", ""))
    write(home / "site" / "openstack" / "secure.yaml", "clouds: {mine: {auth: {password: apart}}}")
    assert loaded(home)["OS_PASSWORD"] == "apart"
    named = write(home / "named.yaml", "clouds: {mine: {auth: {password: named}}}")
    assert loaded(home, OS_CLIENT_SECURE_FILE=named)["OS_PASSWORD"] == "named"


STRANGERS = {
    "clouds.yaml": CLOUD.replace("      password: geheim\n", "").replace("keystone.example", "evil.example"),
    "secure.yaml": "clouds: {mine: {auth: {auth_url: 'https://evil.example'}}}",
    "clouds-public.yaml": "public-clouds: {ours: {auth: {auth_url: 'https://evil.example'}}}",
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_file_of_the_working_directory_gets_no_secrets_of_another_place(home: Path, name: str) -> None:
    """It may be a stranger's clone. Who means it names it, or has all files there."""
    mine = "clouds: {mine: {profile: ours, auth: {username: u, password: geheim, project_name: p}}}"
    own = {"secure.yaml": "clouds: {mine: {auth: {password: apart}}}"}
    own["clouds.yaml"] = mine if name == "clouds-public.yaml" else CLOUD
    for file, text in own.items():
        write(home / ".config" / "openstack" / file, text)
    write(home / "work" / name, STRANGERS[name])
    with pytest.raises(UsageError, match=rf"work/{name}, in the working directory, and of .*keep both in one place"):
        loaded(home)
    for file, text in own.items():
        if file != name:
            write(home / "work" / file, text)
    assert "evil.example" in loaded(home)["OS_AUTH_URL"]


def test_a_file_of_the_working_directory_that_is_named_is_trusted(home: Path) -> None:
    write(home / "work" / "clouds.yaml", CLOUD.replace("      password: geheim\n", ""))
    write(home / ".config" / "openstack" / "secure.yaml", "clouds: {mine: {auth: {password: apart}}}")
    assert loaded(home, OS_CLIENT_CONFIG_FILE=str(home / "work" / "clouds.yaml"))["OS_PASSWORD"] == "apart"


def test_a_profile_is_from_clouds_public_yaml_or_one_that_openstacksdk_knows(home: Path) -> None:
    """The cloud's own settings count before those of the profile."""
    mine = "clouds: {mine: {profile: %s, region_name: %s, auth: {username: u, password: p, project_name: q}}}"
    write(home / "work" / "clouds.yaml", mine % ("ours", "r"))
    public = "public-clouds: {ours: {auth: {auth_url: 'https://ours.example', username: all}, interface: internal}}"
    write(home / ".config" / "openstack" / "clouds-public.yaml", public)
    environ = loaded(home)
    assert environ["OS_AUTH_URL"] == "https://ours.example" and environ["OS_USERNAME"] == "u"
    assert environ["OS_INTERFACE"] == "internal"
    write(home / "work" / "clouds.yaml", mine % ("elastx", "se-sto"))
    assert loaded(home)["OS_AUTH_URL"].startswith("https://ops.elastx.")
    write(home / "work" / "clouds.yaml", mine % ("nosuch", "r"))
    with pytest.raises(UsageError, match=r"has no auth_url, nor is its profile 'nosuch' known$"):
        loaded(home)


def test_a_profile_may_be_fetched_from_its_vendor(home: Path) -> None:
    """openstacksdk asks for it at each start, as `profile: ovh` makes it do."""
    profile = json.dumps({"name": "vendor", "profile": {"auth": {"auth_url": "https://vendor.example/v3"}}}).encode()

    def behave(connection: socket.socket) -> None:
        asked.append(read_head(connection).split(b"\r\n")[0])
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(profile) + profile
        )

    asked: list[bytes] = []
    with tcp_server(behave) as server:
        write(home / "work" / "clouds.yaml", f"clouds: {{mine: {{profile: '{server.url}', auth: {{username: u}}}}}}")
        assert loaded(home)["OS_AUTH_URL"] == "https://vendor.example/v3"
    assert asked == [b"GET /.well-known/openstack/api HTTP/1.1"]
    write(home / "work" / "clouds.yaml", "clouds: {mine: {profile: 'http://127.0.0.1:1', auth: {password: geheim}}}")
    with pytest.raises(StoreGone, match=r"^fetch the profile of cloud mine: ConnectionError "):
        loaded(home)


def test_files_are_looked_for_where_openstacksdk_does(home: Path) -> None:
    """The first that is there: OS_CLIENT_CONFIG_FILE, the working directory, XDG_CONFIG_HOME, ~/.config,
    XDG_CONFIG_DIRS, /etc; .yaml, .yml, .json."""
    places = {
        "site": home / "site" / "openstack" / "clouds.yml",
        "home": home / ".config" / "openstack" / "clouds.json",
        "xdg": home / "xdg" / "openstack" / "clouds.yaml",
        "cwd": home / "work" / "clouds.yaml",
        "named": home / "any.name",
    }
    for name, path in places.items():
        write(path, json.dumps({"clouds": {"mine": {"auth": {"auth_url": f"https://{name}"}}}}))
        found = loaded(
            home,
            XDG_CONFIG_HOME=str(home / "xdg") if name not in ("site", "home") else "",
            **({"OS_CLIENT_CONFIG_FILE": str(path)} if name == "named" else {}),
        )
        assert found["OS_AUTH_URL"] == f"https://{name}" and found["clouds.yaml"] == str(path)


def test_openstacksdk_looks_in_the_same_places(home: Path) -> None:
    """Its own list, in a process with the same variables."""
    environ = environ_of(home, XDG_CONFIG_HOME=str(home / "xdg"))
    script = "from openstack.config import loader; print('\\n'.join(loader.CONFIG_SEARCH_PATH))"
    listed = subprocess.run([sys.executable, "-c", script], env=environ, check=True, capture_output=True, text=True)
    with pytest.raises(UsageError, match=r"OS_CLOUD=mine, and there is no clouds.yaml; looked for ") as caught:
        of_cloud(environ, WireOptions())
    told = str(caught.value).partition("looked for ")[2].split(", ")
    assert told == [f"{place}/clouds.yaml" for place in listed.stdout.splitlines()]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "clouds:\n  mine:\n    auth: {password: @geheim}\n",
            "clouds.yaml, line 3, column 22: not YAML; values with sp",
        ),
        ("clouds:\n  mine:\n    auth: {password: *geheim}\n", "clouds.yaml, line 3, column 22: not YAML"),
        ("clouds:\n  mine:\n    auth: {password: !geheim x}\n", "clouds.yaml, line 3, column 22: not YAML"),
        ("clouds: 'geheim\n", "clouds.yaml, line 2, column 1: not YAML"),
        ("\x00", "clouds.yaml is not a text of YAML in UTF-8"),
        ("geheim", "names no clouds: write them below 'clouds:'"),
        ("clouds: [geheim]", "names no clouds: write them below 'clouds:'"),
        ("", "no cloud 'mine' in .*clouds.yaml, which has none"),
        ("other: 1", "no cloud 'mine' in .*clouds.yaml, which has none"),
        ("clouds: {nine: {}, other: {}}", "which has nine, other: did you mean nine.$"),
        ("clouds: {zzz: {}}", "no cloud 'mine' in .*clouds.yaml, which has zzz$"),
        ("clouds: {mine: {}}", "cloud mine of .*clouds.yaml has no auth_url$"),
        ("clouds: {mine: {auth: }}", "cloud mine of .*clouds.yaml: openstacksdk does not take it"),
        ("clouds: {mine: {auth: geheim}}", "openstacksdk does not take it"),
        ("clouds: {mine: geheim}", "openstacksdk does not take it"),
        ("clouds: {mine: {auth: {auth_url: 'http://{x}'}}}", "openstacksdk does not take it: KeyError 'x'"),
        ("clouds: {mine: {regions: [{auth: {password: geheim}}]}}", "Invalid region entry at: .*'password': '...'"),
        ("clouds: {mine: {auth: {auth_url: 'http://x', password: no}}}", "password of cloud mine is no text in YAML"),
    ],
)
def test_a_wrong_file_is_one_sentence_without_secrets(home: Path, text: str, says: str) -> None:
    """It names the file, and line and column if it is not YAML."""
    write(home / "work" / "clouds.yaml", text)
    with pytest.raises(UsageError, match=says) as caught:
        loaded(home)
    assert "geheim" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_broken_file_is_not_passed_over(home: Path) -> None:
    """openstacksdk would take the cloud of that name in the next one. Of json files, too, and of secure.yaml."""
    write(home / ".config" / "openstack" / "clouds.yaml", CLOUD)
    write(home / "work" / "clouds.json", '{"clouds":\n "mine"; }')
    with pytest.raises(UsageError, match=r"clouds.json, line 2, column 8: not JSON"):
        loaded(home)
    (home / "work" / "clouds.json").unlink()
    write(home / "work" / "secure.yaml", "clouds: {")
    with pytest.raises(UsageError, match=r"secure.yaml, line 1, column 10: not YAML"):
        loaded(home)


@pytest.mark.parametrize("variable", ["OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE"])
def test_a_file_that_a_variable_names_has_to_be_there(home: Path, variable: str) -> None:
    """openstacksdk would take another one."""
    write(home / "work" / "clouds.yaml", CLOUD)
    with pytest.raises(UsageError, match=f"^{variable}=/nothing/clouds.yaml: there is no such file"):
        loaded(home, **{variable: "/nothing/clouds.yaml"})


def test_a_file_that_cannot_be_read_is_passed_over_and_told(home: Path) -> None:
    """As openstacksdk does. Here it is a directory, because root may read every file."""
    (home / "work" / "clouds.yaml").mkdir()
    with pytest.raises(UsageError, match=r"looked for .*/work/clouds.yaml \(not readable\), .*/clouds.yaml, "):
        loaded(home)
    write(home / ".config" / "openstack" / "clouds.yaml", CLOUD)
    assert loaded(home)["OS_USERNAME"] == "u"


def test_of_many_clouds_a_message_names_some(home: Path) -> None:
    write(home / "work" / "clouds.yaml", "clouds: {" + ", ".join(f"c{number:02}: {{}}" for number in range(40)) + "}")
    with pytest.raises(UsageError, match=r", which has c00, c01, .*c11, and 28 more$"):
        loaded(home)


CERTIFICATES: Mapping[str, tuple[str, WireOptions, WireOptions]] = {
    "none": ("", WireOptions(), WireOptions()),
    "ca": ("cacert: /c/ca.pem", WireOptions(), WireOptions(ca_file="/c/ca.pem")),
    "caller's ca": ("cacert: /c/ca.pem", WireOptions(ca_file="/o/ca.pem"), WireOptions(ca_file="/o/ca.pem")),
    "not verified": ("verify: false", WireOptions(), WireOptions(verify_tls=False)),
    "insecure": ("insecure: true", WireOptions(), WireOptions(verify_tls=False)),
    "insecure as text": ("insecure: 'True'", WireOptions(), WireOptions(verify_tls=False)),
    "caller's insecure": (
        "cacert: /c/ca.pem",
        WireOptions(verify_tls=False),
        WireOptions(verify_tls=False, ca_file="/c/ca.pem"),
    ),
    "certificate": ("cert: /c/c.pem", WireOptions(), WireOptions(cert_file="/c/c.pem")),
    "key": (
        "cert: /c/c.pem\n    key: /c/k.pem",
        WireOptions(),
        WireOptions(cert_file="/c/c.pem", key_file="/c/k.pem"),
    ),
    "caller's certificate": (
        "cert: /c/c.pem\n    key: /c/k.pem",
        WireOptions(cert_file="/o/c.pem"),
        WireOptions(cert_file="/o/c.pem"),
    ),
}


@pytest.mark.parametrize("case", CERTIFICATES)
def test_certificates_of_a_cloud_count_unless_the_caller_names_others(home: Path, case: str) -> None:
    """Certificates are not checked if either of the two says so."""
    setting, given, expected = CERTIFICATES[case]
    write(home / "work" / "clouds.yaml", f"{CLOUD}    {setting}\n")
    _, wire = of_cloud(environ_of(home), given)
    assert wire == expected


@pytest.mark.parametrize(
    ("auth", "user"),
    [
        (
            "{auth_url: 'http://k', application_credential_id: c, application_credential_secret: s}",
            "application credential c",
        ),
        ("{auth_url: 'http://k', token: t, project_id: p}", "OS_TOKEN"),
        ("{auth_url: 'http://k', username: u, password: 1234, project_id: p}", "u"),
    ],
)
def test_without_an_auth_type_the_secret_that_is_there_decides(home: Path, auth: str, user: str) -> None:
    """openstacksdk assumes a password. A password of digits is a number in YAML."""
    write(home / "work" / "clouds.yaml", f"clouds: {{mine: {{auth: {auth}}}}}")
    assert login_from(loaded(home)).user == user


async def test_what_a_login_says_names_the_settings_and_the_file(home: Path) -> None:
    """Other logins name variables."""
    file = write(home / "work" / "clouds.yaml", CLOUD)
    login = login_from(await asyncio.to_thread(loaded, home))

    async def refused(_request: LoginRequest) -> Answer:
        return Answer(401, "", {}, b"")

    with pytest.raises(Denied) as caught:
        await login.token(refused)
    assert str(caught.value) == (
        "login u: 401 refused by https://keystone.example/v3: check username, password, user_domain_name,"
        f" project_name and project_domain_name (cloud mine of {file})"
    )

    async def without_catalog(_request: LoginRequest) -> Answer:
        return Answer(201, "", {"X-Subject-Token": "t"}, b'{"token": {}}')

    with pytest.raises(UsageError, match=r": set project_name or project_id, or storage_url .*\(cloud mine of "):
        await login.token(without_catalog)


def test_openstacksdk_is_an_extra(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, or without the YAML that it brings, the message says how to install it."""
    write(home / "work" / "clouds.yaml", CLOUD)
    for missing in ("openstack.config.loader", "yaml"):
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, missing, None)
            with pytest.raises(UsageError, match=r"pip install 'bulkput\[keystone\]'"):
                loaded(home)
