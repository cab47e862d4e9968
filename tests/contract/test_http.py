"""Plain HTTP PUT and WebDAV; the tests read the objects as files on the servers' disks."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from bulkput.testing.contract import StoreContract, Target
from tests.servers.nginx import NginxDav, nginx_dav
from tests.servers.wsgidav import WsgiDav


def see(root: Path, name: str) -> bytes | None:
    path = root / name
    return path.read_bytes() if path.is_file() else None


class PlainHttp(StoreContract):
    lists = False
    makes_container = False
    keeps_metadata = False
    expires = False
    proves_bytes = False
    takes_any_name = False
    powers = frozenset(
        (
            "access",
            "refuses_existing",
            "urls",
            "get",
            "get_once",
            "fetch",
            "read",
            "describe",
            "make_directory",
            "check_removable",
        )
    )
    server: Callable[[], AbstractContextManager[NginxDav]]

    @pytest.fixture
    def target(self) -> Iterator[Target]:
        with type(self).server() as server:
            yield Target(server.url, {}, partial(see, server.root))


@pytest.mark.nginx
class TestNginx(PlainHttp):
    server = nginx_dav


@pytest.mark.nginx
class TestNginxThatMakesNoParents(PlainHttp):
    server = partial(nginx_dav, methods="PUT DELETE MKCOL", makes_parents=False)


class TestWsgiDav(PlainHttp):
    takes_encoding = False
    requests_per_object = 2
    """A PUT to a temporary name and a MOVE, because WsgiDAV writes in place."""

    @pytest.fixture
    def target(self, webdav: WsgiDav) -> Target:
        """A directory for each test, which does not exist yet."""
        place = uuid.uuid4().hex
        return Target(f"{webdav.url}/{place}/", {}, partial(see, webdav.root / place))
