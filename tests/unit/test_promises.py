"""What README and SECURITY.md name as proof is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`((?:contract|e2e|faults|properties|resume|scale|security|unit)/\w+\.py)(?:::(\w+))?`")


@pytest.mark.parametrize("page", ["README.md", "SECURITY.md"])
def test_each_test_that_is_named_as_a_proof_exists(page: str) -> None:
    """A promise whose test was renamed or removed would be one that nobody keeps."""
    named = NAMED.findall((ROOT / page).read_text())
    assert len(named) > 10
    for file, name in named:
        tree = ast.parse((ROOT / "tests" / file).read_text())
        tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert not name or name in tests, f"{page}: {file} has no {name}"
