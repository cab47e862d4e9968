"""The benchmark with a server that speaks TLS."""

import pytest

from benchmarks.contenders import CONTENDERS
from benchmarks.measure import measure
from benchmarks.scenarios import SCENARIOS

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(120)]


@pytest.mark.parametrize("name", ["bulkput", "obstore", "curl -Z", "s5cmd"])
def test_contenders_store_objects_over_verified_tls(name: str) -> None:
    """nginx-tls/smoke: forty files are stored."""
    (contender,) = (contender for contender in CONTENDERS if contender.name == name)
    if contender.version() is None:
        pytest.skip(f"{name} is not installed")
    (run,) = measure("nginx-tls", SCENARIOS["smoke"], [contender], 1).runs
    assert run.void is None and run.stored_objects == 40
