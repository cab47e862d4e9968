"""What docs/promises.md and SECURITY.md name as proof is there, and so is what pages link to."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
NAMED = re.compile(r"`((?:contract|e2e|faults|properties|resume|scale|security|unit)/\w+\.py)(?:::(\w+))?`")


@pytest.mark.parametrize("page", ["docs/promises.md", "SECURITY.md"])
def test_every_test_named_as_a_proof_exists(page: str) -> None:
    """A test that was renamed or removed would leave a promise without proof."""
    named = NAMED.findall((ROOT / page).read_text())
    assert len(named) > 10
    for file, name in named:
        tree = ast.parse((ROOT / "tests" / file).read_text())
        tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert not name or name in tests, f"{page}: {file} has no {name}"


@pytest.mark.parametrize("page", sorted(path.relative_to(ROOT).as_posix() for path in PAGES))
def test_every_link_of_a_page_has_a_target(page: str) -> None:
    """The file exists, and so does its heading."""
    for target in LINK.findall((ROOT / page).read_text()):
        file, _, anchor = target.partition("#")
        path = (ROOT / page).parent / file if file else ROOT / page
        assert path.exists(), f"{page}: {target}"
        headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE) if anchor else []
        assert not anchor or anchor in [re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings]
