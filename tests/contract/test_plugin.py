"""The example of a store by another package (tests/plugin_example), by the class of its own test.

tests/e2e/test_plugin.py builds and installs the package. Here it lies in the search path with the entry point that an
installation would have made.
"""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "plugin_example"
ENTRY_POINT = "[bulkput.stores]\nfile = bulkput_file:open_store\n"


@pytest.fixture(autouse=True, scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Puts the package, and what an installation writes about it, into the search path."""
    site = tmp_path_factory.mktemp("site")
    info = site / "bulkput_file-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bulkput-file\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINT)
    sys.path.append(str(site))
    yield
    sys.path.remove(str(site))


def _own_test() -> type:
    sys.path.append(str(PACKAGE))
    path = PACKAGE / "tests" / "test_contract.py"
    spec = importlib.util.spec_from_file_location("bulkput_file_contract", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.TestFile  # type: ignore[no-any-return]


class TestFile(_own_test()):  # type: ignore[misc]
    """The same, as a column of the table in docs/contract.md."""
