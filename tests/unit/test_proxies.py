"""Which proxy the environment means."""

import base64
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.transport.proxies import Proxies, is_exempt, parse_proxy


def basic(login: str) -> str:
    return "Basic " + base64.b64encode(login.encode()).decode()


@pytest.mark.parametrize(
    ("value", "url", "login"),
    [
        ("http://proxy:3128", "http://proxy:3128", None),
        ("http://proxy:3128/", "http://proxy:3128", None),
        ("proxy:3128", "http://proxy:3128", None),
        ("proxy", "http://proxy:80", None),
        ("HTTPS://proxy", "https://proxy:443", None),
        (" http://proxy:3128 ", "http://proxy:3128", None),
        ("http://proxy:", "http://proxy:80", None),
        ("http://[::1]:3128", "http://[::1]:3128", None),
        ("http://bücher.example:3128", "http://xn--bcher-kva.example:3128", None),
        ("http://user:a%23b%2Fc%3Fd%40e@proxy:1", "http://proxy:1", "user:a#b/c?d@e"),
        ("http://user:a@b:c@proxy:1", "http://proxy:1", "user:a@b:c"),
        ("user:secret@proxy:1", "http://proxy:1", "user:secret"),
        ("http://user@proxy:1", "http://proxy:1", "user:"),
        ("http://@proxy:1", "http://proxy:1", None),
        ("http://jürgen:geheim@proxy:1", "http://proxy:1", "jürgen:geheim"),
        ("socks5h://user:secret@proxy:1080", "socks5h://proxy:1080", "user:secret"),
    ],
)
def test_a_proxy_url_is_parsed_as_by_curl(value: str, url: str, login: str | None) -> None:
    """The default scheme is http; credentials are percent-decoded and appear in no URL and no repr."""
    proxy = parse_proxy("http_proxy", value)
    assert proxy.url == url
    assert proxy.fields == ({"Proxy-Authorization": basic(login)} if login else {})
    assert login is None or (proxy.authorization or "?") not in repr(proxy)


UNUSABLE = [
    "http://build:{}#x@127.0.0.1:18110",
    "http://build:{}/x@127.0.0.1:18110",
    "http://build:{}?x@127.0.0.1:18110",
    "http://build:{}@127.0.0.1:99999",
    "http://build:{}@127.0.0.1:0",
    "http://build:{}@127.0.0.1:port",
    "http://build:{}@",
    "http://build:{}@:3128",
    "http://build:{}@[",
    "http://build:{}@[::1",
    "http://build:{}@[proxy]:1",
    "http://build:{}@proxy:1/path",
    "http://build:{}@pro xy:1",
    "http:///build:{}",
    "://build:{}@proxy",
    "http://build:{}@\u2028:1",
    "http://build:{}@-\u00fc-.\u00fc..:1",
    "build:{}@",
    "{}",
]


@pytest.mark.parametrize("value", [*UNUSABLE[:-1], "#{}", "/{}", "?{}"])
@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "all_proxy"])
def test_an_invalid_proxy_is_refused_at_the_start_without_its_value(name: str, value: str) -> None:
    """The error names the variable and the valid form."""
    with pytest.raises(UsageError) as raised:
        Proxies({name: value.format("Sup3rSecret")})
    assert str(raised.value).startswith(f"{name} ") and "USER:PASSWORD@HOST:PORT" in str(raised.value)
    assert "Sup3r" not in str(raised.value) and "build" not in str(raised.value)


@given(st.text("ab:/@[]#?%. \nü0", max_size=20).map("Sup3r{}".format) | st.text(max_size=20))
def test_any_value_is_a_valid_proxy_or_a_usage_error(value: str) -> None:
    """An accepted proxy has an ASCII host and a valid port."""
    try:
        proxy = parse_proxy("http_proxy", value)
    except UsageError as error:
        assert "Sup3r" not in str(error)
    else:
        assert proxy.host and proxy.host.isascii() and 0 < proxy.port < 65_536 and proxy.scheme


@pytest.mark.parametrize(
    ("environ", "http", "https"),
    [
        ({}, None, None),
        ({"http_proxy": "a:1"}, "http://a:1", None),
        ({"HTTP_PROXY": "a:1"}, "http://a:1", None),
        ({"HTTP_PROXY": "a:1", "REQUEST_METHOD": "GET"}, None, None),
        ({"http_proxy": "a:1", "REQUEST_METHOD": "GET"}, "http://a:1", None),
        ({"http_proxy": "a:1", "HTTP_PROXY": "b:1"}, "http://a:1", None),
        ({"http_proxy": "", "HTTP_PROXY": "b:1"}, None, None),
        ({"HTTPS_PROXY": "a:1", "ALL_PROXY": "b:1"}, "http://b:1", "http://a:1"),
        ({"all_proxy": "b:1", "ALL_PROXY": "c:1"}, "http://b:1", "http://b:1"),
        ({"all_proxy": "b:1", "NO_PROXY": "store.example"}, None, None),
        ({"all_proxy": "b:1", "no_proxy": "", "NO_PROXY": "*"}, None, None),
        ({"all_proxy": "b:1", "no_proxy": "x", "NO_PROXY": "*"}, "http://b:1", "http://b:1"),
        ({"http_proxy": "a:1", "no_proxy": "store.example:443"}, "http://a:1", None),
        ({"ftp_proxy": "http://a:b#c@d"}, None, None),
    ],
)
def test_proxy_variables_have_an_order_of_precedence(
    environ: dict[str, str], http: str | None, https: str | None
) -> None:
    """Lower case wins over upper case, a scheme over ALL_PROXY; HTTP_PROXY is ignored in CGI scripts."""
    proxies = Proxies(environ)
    found = [proxies.of(f"{scheme}://store.example/a") for scheme in ("http", "https")]
    assert [proxy and proxy.url for proxy in found] == [http, https]


def test_an_unsupported_proxy_is_refused_only_if_it_is_needed() -> None:
    """A host in NO_PROXY does not need it."""
    proxies = Proxies({"ALL_PROXY": "socks5://user:secret@a:1", "http_proxy": "b:1", "no_proxy": "near.example"})
    assert proxies.of("http://store.example/") and proxies.of("https://near.example/") is None
    with pytest.raises(UsageError, match=r"ALL_PROXY is socks5://\.\.\.: only http:// and https://") as raised:
        proxies.of("https://store.example/")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "expected"),
    [
        ("", "a", 80, False),
        (" , ,", "a", 80, False),
        (".", "a", 80, False),
        (":80", "a", 80, False),
        ("*", "a", 80, True),
        ("*:443", "a", 80, False),
        ("a.example", "a.example", 80, True),
        ("A.example.", "a.EXAMPLE.", 80, True),
        ("a.example", "b.a.example", 80, True),
        ("a.example", "ba.example", 80, False),
        (".a.example", "a.example", 80, True),
        (".a.example", "b.a.example", 80, True),
        ("*.a.example", "b.a.example", 80, True),
        ("a.example:443", "a.example", 443, True),
        ("a.example:443", "a.example", 80, False),
        ("x, a.example y", "a.example", 80, True),
        ("bücher.example", "xn--bcher-kva.example", 80, True),
        ("127.0.0.1", "127.0.0.1", 80, True),
        ("127.0.0.1:81", "127.0.0.1", 80, False),
        ("7.0.0.1", "12.7.0.0.1", 80, False),
        ("0.1", "10.0.0.1", 80, False),
        ("10.0.0.0/8", "10.1.2.3", 80, True),
        ("10.0.0.7/8", "10.1.2.3", 80, True),
        ("10.0.0.0/8:80", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "11.1.2.3", 80, False),
        ("10.0.0.0/8", "10.example", 80, False),
        ("10.0.0.0/99", "10.1.2.3", 80, False),
        ("0.0.0.0/0", "::1", 80, False),
        ("::1", "::1", 80, True),
        ("[::1]", "0:0:0:0:0:0:0:1", 80, True),
        ("[::1]:80", "::1", 80, True),
        ("[::1]:80", "::1", 81, False),
        ("2001:db8::/32", "2001:db8::7", 80, True),
        ("10.0.0.0/8", "::ffff:10.0.0.1", 80, True),
        ("localhost", "127.0.0.1", 80, False),
    ],
)
def test_no_proxy_exempts_names_addresses_and_networks(no_proxy: str, host: str, port: int, expected: bool) -> None:
    """Names match by suffix, addresses by value, networks by CIDR; nothing is resolved by DNS."""
    assert is_exempt(no_proxy, host, port) is expected


@given(st.text("*.,:[]/0123456789af ", max_size=20) | st.text(max_size=20), st.text("a.:0123456789f", max_size=15))
def test_invalid_no_proxy_entries_raise_no_error(no_proxy: str, host: str) -> None:
    """Nonsense exempts nobody and is no error."""
    assert is_exempt(no_proxy, host, 80) in (True, False)


def test_a_plain_put_imports_no_proxy_code() -> None:
    """It imports neither aiohttp nor the modules for host names and networks."""
    code = """
import asyncio, sys
from bulkput.options import WireOptions
from bulkput.transport.route import open_transport

async def main():
    transport = open_transport(WireOptions(), user_agent="test")
    transport.check("http://store.example/d/")
    await transport.aclose()

asyncio.run(main())
print([name for name in ("aiohttp", "aiohappyeyeballs", "idna", "urllib.request") if name in sys.modules])
"""
    environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    ran = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
