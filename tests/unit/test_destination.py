"""Destinations as people write them, and the store that is found for one."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bulkput.errors import UsageError
from bulkput.model import Body
from bulkput.options import RetryOptions, WireOptions
from bulkput.stores.base import Destination, StoreContext, open_destination
from bulkput.stores.tries import NoBrake, Tries
from bulkput.transport.base import MAX_ANSWER, Answer, WireCount


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("swift://c", ("swift", "c", "")),
        ("swift://c/", ("swift", "c", "")),
        ("swift://c/p/q", ("swift", "c", "p/q")),
        ("swift://c/p/", ("swift", "c", "p/")),
        ("swift://c//p", ("swift", "c", "/p")),
        ("SWIFT://C/P", ("swift", "C", "P")),
        ("swift://c/a%20b?x=1#y", ("swift", "c", "a%20b?x=1#y")),
        ("swift://c/user@host:1", ("swift", "c", "user@host:1")),
        ("swift://größe/é", ("swift", "größe", "é")),
        ("s3://b/p", ("s3", "b", "p")),
        ("http://h", ("http", "http://h/", "")),
        ("http://h/", ("http", "http://h/", "")),
        ("https://h:8443/a/b/", ("https", "https://h:8443/a/b/", "")),
        ("HTTP://h/A", ("http", "http://h/", "A")),
        ("http://[::1]:80/a", ("http", "http://[::1]:80/", "a")),
        ("http://h/a%20b/%C3%A9%3F%23", ("http", "http://h/a%20b/", "é?#")),
        ("http://h/a;x=1/b%2Fc/é x/", ("http", "http://h/a;x=1/b%2Fc/%C3%A9%20x/", "")),
        ("http://h/a+b", ("http", "http://h/", "a+b")),
    ],
)
def test_a_url_is_split_into_scheme_root_and_prefix(url: str, parts: tuple[str, str, str]) -> None:
    """Container and object name stay undecoded; in an http path, only the part after the last slash is decoded."""
    destination = Destination.parse(url)
    assert (destination.scheme, destination.root, destination.prefix) == parts


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "write swift://"),
        ("dist", "write swift://"),
        ("/a/b", "write swift://"),
        ("c/p", "write swift://"),
        ("rclone:c/p", "write swift://"),
        ("swift:c/p", "did you mean swift://c/p?"),
        ("swift:/c/p", "did you mean swift://c/p?"),
        ("swift//c", "did you mean swift://c?"),
        ("swfit:c", "did you mean swift://c?"),
        ("https:/h/p/", "did you mean https://h/p/?"),
        ("https:/h/p?temp_url_sig=1", "'https:/h/p' is no URL: did you mean https://...?"),
        ("://c", "write swift://"),
        ("swift://", "names no container"),
        ("swift:///p", "names no container"),
        ("http://", "names no host"),
        ("http:///p", "names no host"),
        ("http://:80/p", "names no host"),
        ("http://h/p?x=1", "query or fragment"),
        ("http://h/p#x", "query or fragment"),
        ("http://h?x=1", "query or fragment"),
        ("http://h#x", "query or fragment"),
        ("https://h/b/k?X-Amz-Algorithm=x&X-Amz-Signature=geheim", "'https://h/b/k?...' is a presigned URL"),
        ("https://h/b/k?x-amz-signature=geheim", "'https://h/b/k?...' is a presigned URL"),
        ("https://h/b/k?AWSAccessKeyId=a&Expires=1&Signature=geheim", "'https://h/b/k?...' is a presigned URL"),
        ("https://h/b/k?X-Goog-Signature=geheim", "'https://h/b/k?...' is a presigned URL"),
        ("s3://b/k?X-Amz-Signature=geheim", "'s3://b/k?...' is a presigned URL"),
        ("https://h/b/k?Signature=x", "query or fragment"),
        ("http://h:99999/p", "names no host"),
        ("http://h/../", "another path"),
        ("http://h/a/..", "another path"),
        ("http://h//a/", "another path"),
        ("http://h/a%2Fb", "another path"),
        ("http://h/%ff", "not UTF-8"),
        ("swift://c/\udcff", "not UTF-8"),
        ("swift://\udcff/p", "not UTF-8"),
        ("http://h/\udcff", "not UTF-8"),
    ],
)
def test_an_invalid_destination_is_a_usage_error(url: str, message: str) -> None:
    """The message has the valid form, before anything is read or sent."""
    with pytest.raises(UsageError, match=re.escape(message)):
        Destination.parse(url)


@pytest.mark.parametrize("url", ["https://user:s3cret@h/p", "http://s3cret@h/"])
def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    """The message may end up in a log."""
    with pytest.raises(UsageError, match="netrc") as caught:
        Destination.parse(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("swift://c", "swift://c"),
        ("swift://c/", "swift://c"),
        ("SWIFT://c/a b?", "swift://c/a b?"),
        ("http://h", "http://h/"),
        ("http://h/a%20b%3F", "http://h/a%20b%3F"),
    ],
)
def test_a_destination_is_written_as_a_url(url: str, text: str) -> None:
    """Parsing the URL gives the same destination."""
    destination = Destination.parse(url)
    assert str(destination) == text
    assert Destination.parse(text) == destination


class NoWire:
    """A transport that must not be used: opening a store makes no request."""

    def __init__(self) -> None:
        self.count = WireCount()

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | None = None,
        *,
        max_answer: int = MAX_ANSWER,
    ) -> Answer:
        raise AssertionError(f"{method} {url} was sent")

    def check(self, url: str) -> None:
        """Nothing is in the way."""

    async def aclose(self) -> None: ...


@pytest.fixture
def context() -> StoreContext:
    environ = {"OS_STORAGE_URL": "http://127.0.0.1:1/v1/AUTH_a", "OS_AUTH_TOKEN": "t"}
    return StoreContext(
        environ=environ,
        wire=WireOptions(),
        transport=NoWire(),
        again=Tries(RetryOptions(), lambda _event: None, NoBrake()),
    )


@pytest.mark.parametrize("url", ["swift://c/p", "http://h/p", "https://h/p"])
async def test_a_built_in_store_opens_without_a_request(url: str, context: StoreContext) -> None:
    """Each store has limits to plan with."""
    assert (await open_destination(Destination.parse(url), context)).limits.max_object_bytes > 0


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("swfit://c/p", ": did you mean swift://c/p?"),
        ("htpps://h/p/", ": did you mean https://h/p/?"),
        ("gopher://h/", ""),
    ],
)
async def test_an_unknown_scheme_error_lists_the_known_ones(url: str, message: str, context: StoreContext) -> None:
    """And has the URL that was probably meant."""
    with pytest.raises(UsageError) as caught:
        await open_destination(Destination.parse(url), context)
    scheme = url.partition(":")[0]
    known = "swift://, s3://, http://, https://, tempurl://"
    assert str(caught.value) == f"no store for {scheme}:// is installed; known are {known}{message}"


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("gs://b/p", "Google Cloud Storage speaks S3: write s3://BUCKET[/PREFIX], and set AWS_ENDPOINT_URL=https://"),
        ("r2://b", "Cloudflare R2 speaks S3: "),
        ("b2://b", "Backblaze B2 speaks S3: "),
        ("s3a://b", "S3 is written s3://"),
        ("ceph://b", "Ceph's gateway speaks Swift and S3: write swift://"),
        ("abfss://c@account/p", "Azure Blob Storage speaks neither"),
        ("davs://h/p", "WebDAV is plain HTTP: write https://"),
        ("file://c/p", "the example of docs/stores.md"),
        ("sftp://h/p", "rsync"),
    ],
)
async def test_a_scheme_of_another_tool_is_answered_by_what_to_type(
    url: str, advice: str, context: StoreContext
) -> None:
    """One sentence, which does not repeat what follows the scheme: it may hold a secret."""
    with pytest.raises(UsageError) as caught:
        await open_destination(Destination.parse(url), context)
    said = str(caught.value)
    assert said.startswith(f"no store for {url.partition(':')[0]}:// is installed: ") and advice in said
    assert "account/p" not in said and "\n" not in said


async def test_a_package_may_bring_the_store_of_a_scheme_that_has_advice(
    install: Callable[[str], None], context: StoreContext
) -> None:
    """The advice is for users who have no such package."""
    install("gs = bulkput_pigeon:open_store")
    destination = Destination.parse("gs://bucket/p")
    found: object = await open_destination(destination, context)
    assert found == ("pigeon", destination, context)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Installs a package whose entry point in `bulkput.stores` is the given line; it has the module bulkput_pigeon."""

    def installed(entry_point: str) -> None:
        (tmp_path / "bulkput_pigeon.py").write_text(
            "def open_store(destination, context):\n    return ('pigeon', destination, context)\n"
        )
        info = tmp_path / "bulkput_pigeon-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bulkput-pigeon\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[bulkput.stores]\n{entry_point}\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    return installed


async def test_a_third_party_store_is_found_by_its_entry_point_off_the_event_loop(
    install: Callable[[str], None], context: StoreContext
) -> None:
    """Its function gets the destination and the context. A read of package metadata on the loop would be an error."""
    install("pigeon = bulkput_pigeon:open_store")
    destination = Destination.parse("pigeon://loft/p")
    found: object = await open_destination(destination, context)
    assert found == ("pigeon", destination, context)


@pytest.mark.parametrize(
    ("entry_point", "says"),
    [("dove = bulkput_dove:open_store", "No module named 'bulkput_dove'"), ("dove = bulkput_pigeon:absent", "absent")],
)
async def test_a_third_party_store_that_cannot_be_loaded_is_a_usage_error(
    install: Callable[[str], None], context: StoreContext, entry_point: str, says: str
) -> None:
    """The error names the entry point and the reason."""
    install(entry_point)
    with pytest.raises(UsageError, match=rf"store for dove:// is installed as bulkput_.*cannot be loaded: .*{says}"):
        await open_destination(Destination.parse("dove://loft/p"), context)


async def test_a_third_party_cannot_replace_a_built_in_store(
    install: Callable[[str], None], context: StoreContext
) -> None:
    """Swift credentials go only to bulkput's own code."""
    install("swift = bulkput_pigeon:open_store")
    store = await open_destination(Destination.parse("swift://c"), context)
    assert type(store).__module__ == "bulkput.stores.swift.store"
