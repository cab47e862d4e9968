"""Plain HTTP PUT to nginx, looked at as files on its disk."""

from collections.abc import Iterator

import pytest

from tests.contract.suite import StoreContract, Target
from tests.servers.judge import Seen
from tests.servers.nginx import nginx_dav


@pytest.mark.nginx
class TestNginx(StoreContract):
    lists = False
    proves_bytes = False
    takes_any_name = False
    copies = False
    removes_many = False

    @pytest.fixture
    def target(self) -> Iterator[Target]:
        with nginx_dav() as server:

            def see(name: str) -> Seen | None:
                path = server.root / name
                return Seen(path.read_bytes(), {}) if path.is_file() else None

            yield Target(server.url, {}, see)
