"""What `import bulkput` gives, at run time and to a type checker."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import bulkput

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs" / "python.md"]
STUB = Path(bulkput.__file__).with_suffix(".pyi")
SNIPPET = """
from collections.abc import Mapping
import bulkput

async def main(environ: Mapping[str, str]) -> None:
    options = bulkput.UploadOptions(gzip=bulkput.GzipOptions(mode="auto"), stop=bulkput.StopRules(max_errors=3))
    recorder, stop = bulkput.Recorder(), bulkput.Stop()
    summary: bulkput.Summary = await bulkput.upload(
        "./dist", "swift://c", options=options, recorder=recorder, stop=stop, environ=environ
    )
    comparison: bulkput.Comparison = await bulkput.verify("./dist", "swift://c", options=options, environ=environ)
    changes: bulkput.Changes = await bulkput.move("swift://c/a", "swift://c/b", options=bulkput.CopyOptions())
    for result in (summary, comparison, changes):
        code: int = result.exit_code
        requests: Mapping[str, int] = result.requests
        why: bulkput.events.Stopping | None = result.stopping
    async for item in bulkput.list_objects("swift://c", options=bulkput.ListOptions(delimiter="/")):
        name: str = item.name
    async with bulkput.open_store("swift://c", environ=environ) as store:
        stored: bulkput.Stored = await store.put("k", bulkput.BytesBody.of(b"x"), bulkput.ObjectHeaders())
    async with bulkput.stream(bulkput.upload, "./dist", "swift://c") as run:
        async for event in run:
            if isinstance(event, bulkput.events.Failed):
                path: bytes = event.path
    uploaded: int = run.result.uploaded

summary: bulkput.Summary = bulkput.sync.upload("./dist", "swift://c", options=bulkput.UploadOptions())
names: list[str] = [item.name for item in bulkput.sync.list_objects("swift://c")]
sizes: list[int | None] = [item.bytes for item in bulkput.sync.list_containers("s3://")]
"""


def test_the_public_names_equal_those_of_the_stub() -> None:
    """`from bulkput import *` and `dir` give the same names as the stub."""
    names = {
        alias.name: node.module
        for node in ast.parse(STUB.read_text()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(bulkput.__all__) == set(names)
    assert set(names) <= set(dir(bulkput))
    for name, home in names.items():
        found = getattr(bulkput, name)
        assert home == "bulkput" or getattr(sys.modules[home or ""], name) is found


def test_an_unknown_attribute_of_bulkput_is_an_attribute_error() -> None:
    """The message is that of any other module."""
    with pytest.raises(AttributeError, match="module 'bulkput' has no attribute 'uplaod'"):
        bulkput.uplaod  # noqa: B018


def test_importing_bulkput_imports_none_of_its_modules() -> None:
    """The first use of a name imports its module."""
    program = "import sys, bulkput; print([name for name in sys.modules if name.startswith('bulkput.')])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_type_checker_knows_every_verb_and_group(tmp_path: Path) -> None:
    """mypy --strict accepts a correct program and reports an error in a wrong one."""
    (tmp_path / "right.py").write_text(SNIPPET)
    (tmp_path / "wrong.py").write_text("import bulkput\nbulkput.sync.upload('a', 'b', options=bulkput.CopyOptions())\n")
    check = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run([*check, "right.py", "wrong.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert len(lines) == 1 and lines[0].startswith('wrong.py:2: error: Argument "options"')


def test_all_errors_and_option_groups_are_public() -> None:
    """They are the whole error tree and every group of options."""
    from bulkput import errors, options, verb_options  # noqa: PLC0415

    for module, base in ((errors, errors.BulkputError), (options, object), (verb_options, object)):
        for name, found in inspect.getmembers(module, inspect.isclass):
            # What NamingOptions says comes from the destination and `encode_names`.
            if found.__module__ == module.__name__ and issubclass(found, base) and name != "NamingOptions":
                assert getattr(bulkput, name) is found


def test_every_verb_has_the_same_four_keywords() -> None:
    """They are options, on_event, stop and environ; an upload also takes a recorder."""
    verbs = (
        bulkput.upload, bulkput.verify, bulkput.verify_manifest, bulkput.copy, bulkput.move, bulkput.remove,
        bulkput.segments,
    )  # fmt: skip
    for verb in verbs:
        keywords = [each.name for each in inspect.signature(verb).parameters.values() if each.kind is each.KEYWORD_ONLY]
        assert [name for name in keywords if name != "recorder"] == ["options", "on_event", "stop", "environ"]
    for verb in (bulkput.list_containers, bulkput.list_objects, bulkput.open_store, bulkput.temporary_url):
        keywords = [each.name for each in inspect.signature(verb).parameters.values() if each.kind is each.KEYWORD_ONLY]
        assert keywords == ["options", "on_event", "environ"]


def test_every_event_is_public() -> None:
    """It has its own name in `bulkput.events`."""
    for kind in get_args(bulkput.Event):
        assert getattr(bulkput.events, kind.__name__) is kind


def test_the_documentation_and_the_public_names_agree() -> None:
    """Each `bulkput.NAME` of the pages is public, and docs/python.md has every public name."""
    found = {
        name for page in PAGES if page.exists() for name in re.findall(r"bulkput\.([a-zA-Z]\w*)", page.read_text())
    }
    named = found - {"stores", "logs", "git", "db", "VERB"}
    assert named <= set(bulkput.__all__)
    guide = (ROOT / "docs" / "python.md").read_text()
    assert [name for name in bulkput.__all__ if not re.search(rf"\b{name}\b", guide)] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.exists()], ids=lambda page: page.name)
def test_python_blocks_in_the_documentation_pass_mypy(page: Path, tmp_path: Path) -> None:
    """mypy checks each block of the pages."""
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.S)
    assert blocks
    for number, block in enumerate(blocks):
        compile(block, f"{page.name}:{number}", "exec")
        (tmp_path / f"block{number}.py").write_text(block)
    command = [sys.executable, "-m", "mypy", "--config-file=", *sorted(tmp_path.glob("*.py"))]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout
