"""Fixtures that every test gets, and the real servers that some ask for."""

import gc
import os
import re
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from multiprocessing import get_context

import pytest
from blockbuster import BlockBuster
from hypothesis import settings

from bulkput.devserver import DevServer
from tests.ledger import Ledger, write_table
from tests.servers.devserver import devserver_process
from tests.servers.keystone import KeystoneSwift, real_keystone_swift
from tests.servers.moto import moto_s3
from tests.servers.nginx import NginxDav, nginx_dav
from tests.servers.rgw import RealRgw, real_rgw, why_missing
from tests.servers.s3 import NO_FILES, RealS3, of_rgw, of_swift
from tests.servers.swift import RealSwift, real_swift
from tests.servers.wsgidav import WsgiDav, wsgidav

collect_ignore = ["plugin_example"]
"""A package of its own, with its own tests: tests/e2e/test_plugin.py installs it and runs them."""

# Properties are about every value, not about time: no deadline, and few enough examples for every commit.
settings.register_profile("bulkput", deadline=None, max_examples=100)
settings.register_profile("fuzz", deadline=None, max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "bulkput"))


def pytest_collection_finish() -> None:
    """Freezes imported and collected objects, which live to the end: later garbage collections skip them."""
    gc.freeze()


@cache
def _detector() -> BlockBuster:
    """The same for all tests: to make one takes longer than many a test."""
    detector = BlockBuster("bulkput")
    for call in ("os.read", "os.stat"):  # small files, while that is quick: see bulkput/policy/reading.py
        detector.functions[call].can_block_in("bulkput/payload/body.py", "_read")
    # concurrent.futures writes one byte to a pipe, to wake its thread.
    detector.functions["os.write"].can_block_in("bulkput/scale/processes.py", {"submit", "kill"})
    return detector


@pytest.fixture(autouse=True)
def blockbuster() -> Iterator[None]:
    """A blocking call of bulkput on the event loop raises BlockingError."""
    _detector().activate()
    yield
    _detector().deactivate()


@pytest.fixture(autouse=True)
def no_credentials_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the developer's credentials and settings, and those of a CI, from the environment of every test."""
    for name in os.environ:
        if re.match("ST_|OS_|AWS_|S3_|NETRC$|GITHUB_|GITLAB_|BULKPUT_(?!TEST_|SOAK_)", name):
            monkeypatch.delenv(name)
    for name, value in NO_FILES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nonexistent")


@pytest.fixture(scope="session")
def swift() -> Iterator[RealSwift]:
    """A real OpenStack Swift, the same for the whole session: use a container of your own."""
    with real_swift() as running:
        yield running


@pytest.fixture(scope="session")
def keystone() -> Iterator[KeystoneSwift]:
    """A real Keystone with a Swift, the same for the whole session: use a container of your own."""
    with real_keystone_swift() as running:
        yield running


@pytest.fixture(scope="session")
def rgw() -> Iterator[RealRgw]:
    """A real Ceph RGW, the same for the whole session: use a container of your own, of three letters at least."""
    if reason := why_missing():
        pytest.skip(reason)
    with real_rgw() as running:
        yield running


@pytest.fixture(scope="session")
def rgw_s3(rgw: RealRgw) -> RealS3:
    """The S3 of the real Ceph RGW: use a bucket of your own (`make_bucket`)."""
    return of_rgw(rgw)


@pytest.fixture(scope="session")
def s3api(swift: RealSwift) -> RealS3:
    """The S3 of the real Swift: use a bucket of your own (`make_bucket`)."""
    return of_swift(swift)


@pytest.fixture(scope="session")
def moto() -> Iterator[RealS3]:
    """moto's S3, the same for the whole session: use a bucket of your own (`make_bucket`)."""
    with moto_s3() as running:
        yield running


@pytest.fixture(scope="session")
def nginx() -> Iterator[NginxDav]:
    """nginx with DAV, storing into a directory, the same for the whole session."""
    with nginx_dav() as running:
        yield running


@pytest.fixture(scope="session")
def webdav() -> Iterator[WsgiDav]:
    """WsgiDAV, storing into a directory, the same for the whole session: use a path of your own."""
    with wsgidav() as running:
        yield running


@pytest.fixture
async def devserver() -> AsyncIterator[DevServer]:
    """The local store, in the test's own loop, empty."""
    async with DevServer() as server:
        yield server


@pytest.fixture(scope="module")
def server() -> Iterator[RealSwift]:
    """A devserver in a process of its own, for all tests of one file."""
    with devserver_process() as running:
        yield running


@pytest.fixture
def environ(server: RealSwift) -> dict[str, str]:
    """The environment variables that point bulkput at `server`."""
    return server.environment


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """An event that a hanging read waits for; it is set when the test ends, so that the thread ends too."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """The record of what each fault did in this test."""
    return Ledger(request.node.user_properties)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Here and not beside the fault tests: with several workers, only this file is read by the process that prints."""
    write_table(terminalreporter)


def environ_of(server: DevServer) -> dict[str, str]:
    """Gives the environment variables with which a client logs in to `server`."""
    return {"ST_AUTH": server.auth_url, "ST_USER": server.options.user, "ST_KEY": server.options.key}


@pytest.fixture(params=["processes", "threads"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """An executor of the standard library, with two workers."""
    made: Executor = ThreadPoolExecutor(2)
    if request.param == "processes":
        made = ProcessPoolExecutor(2, mp_context=get_context("spawn"))
    with made:
        yield made
