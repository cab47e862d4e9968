"""No output of a failing run contains a secret: real commands, against a server that repeats each request."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from bulkput.cli.main import main
from tests.security.echo import ISSUED, Echo, echo_server, leaks, leaks_below, secret
from tests.servers.certificates import make_authority
from tests.servers.devserver import devserver_process
from tests.servers.threads import tls_server

HIDDEN = {
    name: secret(name.lower())
    for name in ("ST_KEY", "OS_AUTH_TOKEN", "BULKPUT_HTTP_TOKEN", "BULKPUT_HTTP_PASSWORD", "NETRC", "PROXY", "TEMPURL")
}
ALL = {**HIDDEN, "the issued token": ISSUED}
TOLD = (
    "-v", "--json", "--retries", "1", "--journal", "journal", "--summary", "summary.json", "--trace", "trace.jsonl",
    "--summary-md", "page.md", "--print-urls", "--tag", "build-4711", "--report", "report.html", "--status-page", "0",
)  # fmt: skip
BUG = """
from bulkput.stores.http.store import HttpStore
class Broken(HttpStore):
    async def put(self, key, body, headers):
        raise RuntimeError("a bug")
def open_store(destination, context):
    return Broken("http://127.0.0.1:1/", context.transport, "Bearer " + context.environ["BULKPUT_HTTP_TOKEN"])
"""


@dataclass(slots=True)
class Place:
    """A working directory that receives all files of a run, and a tree to upload."""

    root: Path
    netrc: Path
    printed: pytest.CaptureFixture[str]
    logged: pytest.LogCaptureFixture
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """All places where programs write files lie in the working directory; debugging of Python is on. The run is one
        of GitHub Actions, so errors become annotations as well."""
        homes = dict.fromkeys(("HOME", "TMPDIR", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), str(self.root))
        debug = {"PYTHONASYNCIODEBUG": "1", "PYTHONFAULTHANDLER": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        debug["GITHUB_ACTIONS"] = "true"
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        return {**kept, **homes, **debug, "NETRC": str(self.netrc), **self.variables}

    def start(self, destination: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "bulkput", "upload", "tree", destination, *TOLD, *arguments]
        return subprocess.Popen(
            command, cwd=self.root, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def fail(self, destination: str, *arguments: str) -> str:
        """Runs to a failing end; asserts that neither output nor files contain a secret; gives the output."""
        with self.start(destination, *arguments) as run:
            out, err = run.communicate(timeout=60)
        return self._checked(run.returncode, out + err)

    def fail_here(self, destination: str, *arguments: str, exit_code: int | None = None) -> str:
        """Does the same in this process, which is much faster."""
        for journal in self.root.glob("journal*"):  # it belongs to another destination
            journal.unlink()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.root)
            for name in os.environ.keys() - self.environ.keys():
                patch.delenv(name)
            for name, value in self.environ.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["bulkput", "upload", "tree", destination, *TOLD, *arguments])
            with pytest.raises(SystemExit) as ended:
                main()
        assert isinstance(ended.value.code, int)
        assert exit_code in (None, ended.value.code)
        printed = self.printed.readouterr()
        return self._checked(ended.value.code, printed.out + printed.err + self.logged.text)

    def _checked(self, exit_code: int, told: str) -> str:
        assert exit_code in (1, 2, 3), told
        assert leaks(ALL, told) == [], told
        assert leaks_below(ALL, self.root) == []
        return told


@pytest.fixture
def blockbuster() -> None:
    """Disables the check for blocking calls: the command runs its own event loop in this process."""


@pytest.fixture
def place(tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Place:
    root, netrc = tmp_path / "work", tmp_path / "netrc"
    (root / "tree").mkdir(parents=True)
    for number in range(len(ANSWERS)):
        (root / "tree" / f"small-{number}").write_text("small")
    (root / "tree" / "large").write_bytes(bytes(1_200_000))
    netrc.write_text(f"machine 127.0.0.1 login user password {HIDDEN['NETRC']}\n")
    netrc.chmod(0o600)
    return Place(root, netrc, capfd, caplog)


def v1(echo: Echo) -> dict[str, str]:
    return {**echo.environment, "ST_KEY": HIDDEN["ST_KEY"]}


def given(echo: Echo) -> dict[str, str]:
    return {"OS_STORAGE_URL": f"{echo.url}/v1/AUTH_test", "OS_AUTH_TOKEN": HIDDEN["OS_AUTH_TOKEN"]}


def bearer(_echo: Echo) -> dict[str, str]:
    return {"BULKPUT_HTTP_TOKEN": HIDDEN["BULKPUT_HTTP_TOKEN"]}


def basic(_echo: Echo) -> dict[str, str]:
    return {"BULKPUT_HTTP_USER": "user", "BULKPUT_HTTP_PASSWORD": HIDDEN["BULKPUT_HTTP_PASSWORD"]}


def from_netrc(_echo: Echo) -> dict[str, str]:
    return {}


ANSWERS = (400, 301, 409, 413, 503, 429, 418)


@pytest.mark.parametrize("login", [400, 301])
def test_an_error_of_a_login_that_repeats_its_request_contains_no_key(place: Place, login: int) -> None:
    """The reason, body, Location and request id of the answer have the key."""
    with echo_server(login=login) as echo:
        place.variables = v1(echo)
        place.fail("swift://c")
        assert HIDDEN["ST_KEY"] in echo.heads[0], "the key was sent"


def test_an_error_of_a_login_answered_with_garbage_contains_no_key(place: Place) -> None:
    """Messages quote an answer that is no HTTP."""
    with echo_server(login=400, is_garbage=True) as echo:
        place.variables = v1(echo)
        place.fail_here("swift://c")


@pytest.mark.parametrize("variables", [v1, given, bearer, basic, from_netrc])
def test_an_error_of_an_object_that_repeats_its_request_contains_no_token(
    place: Place, variables: Callable[[Echo], dict[str, str]]
) -> None:
    """Issued or given token, Bearer, Basic, the password in netrc; each file gets another error status."""
    with echo_server(*ANSWERS) as echo:
        place.variables = variables(echo)
        place.fail_here("swift://c" if variables in (v1, given) else f"{echo.url}/d/")
        assert sum(head.startswith("PUT ") for head in echo.heads) >= len(ANSWERS)


def test_a_403_that_repeats_its_request_prints_no_token(place: Place) -> None:
    """A plain HTTP server answers 403 to each object."""
    with echo_server(403) as echo:
        place.variables = bearer(echo)
        assert "failed" in place.fail_here(f"{echo.url}/d/")


def test_an_error_of_an_object_answered_with_garbage_contains_no_token(place: Place) -> None:
    """The wire transport quotes nothing of an answer that is no HTTP."""
    with echo_server(400, is_garbage=True) as echo:
        place.variables = given(echo)
        place.fail_here("swift://c")


def test_an_error_about_a_wrong_key_or_token_does_not_contain_it(place: Place) -> None:
    """A devserver answers 401."""
    with devserver_process() as server:
        place.variables = {**server.environment, "ST_KEY": HIDDEN["ST_KEY"]}
        assert "check ST_USER and ST_KEY" in place.fail_here("swift://c")
        storage_url = server.auth_url.replace("/auth/v1.0", "/v1/AUTH_test")
        place.variables = {"OS_STORAGE_URL": storage_url, "OS_AUTH_TOKEN": HIDDEN["OS_AUTH_TOKEN"]}
        assert "the store refuses OS_AUTH_TOKEN" in place.fail_here("swift://c")


def test_the_page_and_the_annotations_of_a_run_contain_no_token(place: Place) -> None:
    """The server repeats each request in its answer, and both show that."""
    with echo_server(*ANSWERS) as echo:
        place.variables = bearer(echo)
        told = place.fail_here(f"{echo.url}/d/", exit_code=1)
    page = (place.root / "page.md").read_text()
    assert page.startswith("## bulkput: failed") and "| reason |" in page
    assert "::error file=tree/small-" in told


def test_a_refused_connection_prints_no_secret(place: Place) -> None:
    """All secret variables are set."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    place.variables = {**HIDDEN, "ST_AUTH": f"{url}/auth/v1.0", "ST_USER": "a:b", "NETRC": str(place.netrc)}
    assert "cannot connect" in place.fail_here("swift://c")


def test_a_server_with_an_untrusted_certificate_receives_no_byte_of_http(place: Place, tmp_path: Path) -> None:
    """A login and an object send no HTTP; with --insecure the login does."""
    (tmp_path / "authority").mkdir()
    got = []

    def behave(connection: socket.socket) -> None:
        got.append(connection.recv(1))

    with tls_server(make_authority(tmp_path / "authority").issue("localhost"), behave) as seen:
        for destination in (f"{seen.url}/d/", "swift://c"):
            place.variables = {**HIDDEN, "ST_AUTH": f"{seen.url}/auth/v1.0", "ST_USER": "a:b"}
            del place.variables["OS_AUTH_TOKEN"], place.variables["NETRC"]
            assert "TLS certificate of localhost not accepted" in place.fail_here(destination)
        assert got == []
        place.fail_here("swift://c", "--insecure")
    assert got, "--insecure asks for it"


def test_the_traceback_of_a_bug_in_a_store_contains_no_secret(place: Place, tmp_path: Path) -> None:
    """A third-party store raises RuntimeError: a traceback without any secret."""
    plugin = tmp_path / "plugin"
    (plugin / "broken_store-1.dist-info").mkdir(parents=True)
    (plugin / "broken_store-1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: broken-store\nVersion: 1\n"
    )
    (plugin / "broken_store-1.dist-info" / "entry_points.txt").write_text(
        "[bulkput.stores]\nbug = broken_store:open_store\n"
    )
    (plugin / "broken_store.py").write_text(BUG)
    place.variables = {**HIDDEN, "NETRC": str(place.netrc), "PYTHONPATH": os.pathsep.join((str(plugin), *sys.path))}
    told = place.fail("bug://c")
    assert "RuntimeError: a bug" in told and "please report it" in told


def behind(echo: Echo) -> dict[str, str]:
    """Sends all requests through a proxy that needs a user and a password."""
    url = f"http://user:{quote(HIDDEN['PROXY'], safe='')}@{echo.url.removeprefix('http://')}"
    return {**bearer(echo), "http_proxy": url, "https_proxy": url}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_407_of_a_proxy_stops_the_run_and_prints_no_password(place: Place, scheme: str) -> None:
    """407 to a request or to CONNECT: exit 3 after one attempt, without the password of proxy or server."""
    with echo_server(407) as echo:
        place.variables = behind(echo)
        told = place.fail_here(f"{scheme}://store.example/d/", "--concurrency", "1", exit_code=3)
        assert f"does not accept the user and password in {scheme}_proxy (407)" in told
        assert len(echo.heads) == 1 and "Proxy-Authorization: Basic" in echo.heads[0]
        place.variables["http_proxy"] = place.variables["https_proxy"] = echo.url
        assert f"write {scheme}_proxy as http://USER:PASSWORD" in place.fail_here(f"{scheme}://store.example/d/")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_error_of_a_proxy_that_repeats_its_request_contains_no_password(place: Place, scheme: str) -> None:
    """The proxy answers with errors of all kinds and with garbage."""
    for is_garbage in (False, True):
        with echo_server(*ANSWERS, is_garbage=is_garbage) as echo:
            place.variables = behind(echo)
            place.fail_here(f"{scheme}://store.example/d/")
            assert all("Proxy-Authorization: Basic" in head for head in echo.heads) and echo.heads


@pytest.mark.parametrize(
    "value", ["http://build:{}#x@127.0.0.1:1", "http://build:{}@127.0.0.1:99999", "http://{}@[", "socks5://u:{}@a:1"]
)
def test_an_unusable_proxy_url_is_refused_without_printing_its_password(place: Place, value: str) -> None:
    """Exit 2 before any request; the message names the variable."""
    hidden = HIDDEN["PROXY"] if "#" in value else quote(HIDDEN["PROXY"], safe="")
    place.variables = {"http_proxy": value.format(hidden)}
    assert "http_proxy is" in place.fail_here("http://127.0.0.1:1/d/", exit_code=2)


def test_an_error_about_an_invalid_netrc_contains_no_password(place: Place) -> None:
    """The password contains a blank; the message names the file."""
    place.netrc.write_text(f"machine a login b password x {HIDDEN['NETRC']}\n")
    assert "is not in netrc format" in place.fail_here("http://127.0.0.1:1/d/", exit_code=2)


@pytest.mark.parametrize("name", ["ST_AUTH", "OS_STORAGE_URL"])
def test_a_password_in_a_url_is_refused_and_not_printed(place: Place, name: str) -> None:
    """Otherwise every message that names the URL would contain it."""
    url = f"http://user:{quote(HIDDEN['ST_KEY'], safe='')}@127.0.0.1:1/auth/v1.0"
    place.variables = {"ST_AUTH": "http://127.0.0.1:1/", "ST_USER": "a:b", "ST_KEY": "key", name: url}
    assert f"{name} has a user or password before its host" in place.fail_here("swift://c")


def test_a_secret_with_a_control_character_is_refused_and_not_printed(place: Place) -> None:
    """The message names the variable, not its value."""
    for variables, destination in (
        ({"ST_AUTH": "http://127.0.0.1:1/", "ST_USER": "a:b", "ST_KEY": HIDDEN["ST_KEY"] + "\n"}, "swift://c"),
        ({"BULKPUT_HTTP_TOKEN": HIDDEN["BULKPUT_HTTP_TOKEN"] + "\r\nX-A: b"}, "http://127.0.0.1:1/"),
        ({"OS_STORAGE_URL": "http://127.0.0.1:1", "OS_AUTH_TOKEN": HIDDEN["OS_AUTH_TOKEN"] + "\x7f"}, "swift://c"),
    ):
        place.variables = variables
        assert "its value has a control character" in place.fail_here(destination)


def test_the_process_list_shows_no_secret(place: Place) -> None:
    """The run waits for its first answer."""
    with echo_server(400) as echo:
        place.variables = {**bearer(echo), **HIDDEN, "NETRC": str(place.netrc)}
        with place.start(f"{echo.url}/d/") as run:
            assert echo.reached.wait(30)
            shown = Path(f"/proc/{run.pid}/cmdline").read_bytes().decode()
            run.communicate(timeout=30)
    assert "upload" in shown and leaks(ALL, shown) == []
