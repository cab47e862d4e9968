import pytest
from bulkput_file.container import Container

from bulkput.testing.contract import StoreContract, Target


class TestFile(StoreContract):
    powers = frozenset(("copy", "describe", "get", "get_once", "refuses_existing"))
    expires = False
    requests_per_object = 0

    @pytest.fixture
    def target(self, tmp_path):
        container = Container(str(tmp_path / "c"))

        def see(name):
            return b"".join(piece for piece, _ in container.read(name)) if container.find(name) else None

        return Target("file://c", {"FILE_STORE_ROOT": str(tmp_path)}, see)
