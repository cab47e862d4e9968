"""No output of a run by a temporary URL contains its signature, nor does the process list need to."""

import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest

import bulkput
from bulkput import events as ev
from bulkput.cli.main import main
from bulkput.stores.base import Destination
from tests.security.echo import Echo, echo_server, leaks
from tests.security.test_inside import failing, told
from tests.security.test_secrets import ANSWERS, HIDDEN, Place, place

__all__ = ["place"]  # a fixture
SIGNATURE = HIDDEN["TEMPURL"]


def signed(base: str, *, expires_s: float | None = None, query: str = "") -> str:
    expires = int(expires_s or time.time() + 3600)
    signature = quote(SIGNATURE, safe="")
    return f"{base}/v1/AUTH_a/c/p/?temp_url_sig={signature}&temp_url_expires={expires}&temp_url_prefix=p/{query}"


@pytest.fixture
def blockbuster() -> None:
    """Disables the check for blocking calls: the commands run event loops of their own in this process."""


def assert_was_sent(echo: Echo) -> None:
    assert echo.heads and all(quote(SIGNATURE, safe="/:-._~") in head.split("\r\n")[0] for head in echo.heads)


@pytest.mark.parametrize("is_garbage", [False, True], ids=["refusal", "garbage"])
@pytest.mark.parametrize("transport", ["wire", "aiohttp"])
def test_an_error_that_repeats_the_url_contains_no_signature(place: Place, transport: str, is_garbage: bool) -> None:
    """Reason, body, Location and request id have it; each file gets another error status."""
    with echo_server(*ANSWERS, is_garbage=is_garbage) as echo:
        place.fail_here(signed(echo.url), "--transport", transport)
        assert_was_sent(echo)


def test_urls_pages_and_annotations_contain_no_signature(place: Place) -> None:
    """The URL of an object is that without it, on stdout and on the page."""
    with echo_server(400) as echo:
        told = place.fail_here(signed(echo.url), exit_code=1)
        place_line = f'"url": "{echo.url}/v1/AUTH_a/c/"'
    assert place_line in told and "::error file=tree/" in told
    assert "temp&#95;url" not in (place.root / "page.md").read_text().partition("### Failed")[0]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_error_that_stops_the_run_contains_no_signature(place: Place, status: int) -> None:
    """A refused signature, and a container that is not there."""
    with echo_server(status) as echo:
        place.fail_here(signed(echo.url), exit_code=3)
        assert_was_sent(echo)


@pytest.mark.parametrize("destination", ["tempurl://", "tempurl://below/"])
def test_the_variable_keeps_the_signature_out_of_the_process_list(place: Place, destination: str) -> None:
    """The run waits for its first answer."""
    with echo_server(400) as echo:
        place.variables = {"BULKPUT_TEMPURL": signed(echo.url)}
        with place.start(destination) as run:
            assert echo.reached.wait(30)
            shown = Path(f"/proc/{run.pid}/cmdline").read_bytes().decode()
            out, err = run.communicate(timeout=30)
        assert_was_sent(echo)
    assert "tempurl://" in shown and leaks(HIDDEN, shown + out + err) == []


@pytest.mark.parametrize(
    "query", ["&x=y", "&temp_url_sig=again", "#x", "&temp_url_prefix=%ff", "&temp_url_expires=soon"], ids=range(5)
)
def test_an_error_about_the_url_itself_does_not_contain_the_signature(place: Place, query: str) -> None:
    """Exit 2: it cannot be read."""
    place.fail_here(signed("http://127.0.0.1:1", query=query), exit_code=2)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/d/?sig={}",
        "http:/127.0.0.1:1/v1/a/c?temp_url_sig={}",
        "swift://c/p?temp_url_sig={}",
        "https//h/v1/a/c?temp_url_sig={}",
        "http://127.0.0.1:1/\udcff?temp_url_sig={}",
        "http://127.0.0.1:1/v1/a?temp_url_sig={}&temp_url_expires=9999999999",
    ],
    ids=range(6),
)
def test_an_error_about_a_url_that_is_nearly_one_does_not_contain_the_signature(place: Place, url: str) -> None:
    """Exit 2: a signature of another kind, and typing errors."""
    place.fail_here(url.format(quote(SIGNATURE, safe="")), exit_code=2)


def test_an_expired_url_is_refused_without_being_shown(place: Place) -> None:
    """Exit 2, before any request."""
    assert "has expired" in place.fail_here(signed("http://127.0.0.1:1", expires_s=100), exit_code=2)


@pytest.mark.parametrize(
    "verb",
    [
        ["ls"], ["ls", "-r", "--json"], ["rm", "--retries", "0"], ["rm", "-r", "--yes"], ["rm", "-r", "--dry-run"],
        ["verify", "tree"], ["segments"], ["logs"], ["bench", "--to"], ["tempurl"], ["cp", "swift://c/x"],
        ["mv", "-r", "swift://c/x"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_verb_that_cannot_use_the_url_does_not_show_it(
    place: Place, verb: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with 1, 2 or 3, and a message."""
    monkeypatch.chdir(place.root)
    monkeypatch.setattr(sys, "argv", ["bulkput", *verb, signed("http://127.0.0.1:1")])
    with pytest.raises(SystemExit) as ended:
        main()
    said = place.printed.readouterr()
    assert ended.value.code in (1, 2, 3)
    assert said.err and leaks(HIDDEN, said.out + said.err) == []


@pytest.mark.parametrize("transport", ["wire", "aiohttp"])
@pytest.mark.parametrize("is_garbage", [False, True], ids=["refusal", "garbage"])
async def test_no_event_contains_a_signature_that_a_server_repeats(
    tmp_path: Path, transport: str, is_garbage: bool
) -> None:
    """The tracebacks of its errors and their local variables contain none either."""
    for number in range(6):
        (tmp_path / f"{number}").write_text("x")
    with echo_server(400, 301, 409, 413, 503, 422, is_garbage=is_garbage) as echo:
        seen, summary = await failing(tmp_path, signed(echo.url), {}, transport)
        assert_was_sent(echo)
    assert any(isinstance(event, ev.Failed) for event in seen)
    assert leaks(HIDDEN, "\n".join([summary, *map(told, seen)])) == []


async def test_no_event_of_an_expired_url_contains_its_signature(tmp_path: Path) -> None:
    """401 to the first request."""
    (tmp_path / "a").write_text("x")
    with echo_server(401) as echo:
        seen, summary = await failing(tmp_path, signed(echo.url), {}, "wire")
        assert_was_sent(echo)
    assert leaks(HIDDEN, "\n".join([summary, *map(told, seen)])) == []


async def test_no_repr_contains_a_signature() -> None:
    """Destination and stores, wrapped and bare."""
    url = signed("http://127.0.0.1:1")
    destination = Destination.parse(url)
    async with bulkput.open_store(url, environ={}) as store:
        shown = [destination, destination.temp_url, store, store.powers]
    assert leaks(HIDDEN, "\n".join(map(repr, shown)) + str(destination)) == []
