"""Imports go one way, downwards. Each layer's reason stands beside it; a violation names the line to look at."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "bulkput"

# From the bottom up. A module imports from layers below its own, and from its own where that is one folder.
LAYERS: list[set[str]] = [
    {"errors", "record", "doing"},  # everybody raises, makes or notes these, so they know nobody
    {"model"},  # the nouns
    {"options", "events"},  # choices and occurrences, in terms of the nouns
    {"recorder"},  # the pure fold of events
    {"policy"},  # decisions without I/O: testable by tables, usable by any engine
    {"transport", "payload"},  # bytes: on sockets, out of files
    {"stores", "sources", "journal"},  # where objects go, where files come from, what is done
    {"logs"},  # access logs: files and objects to lines, lines to groups, which views draw
    {"engine", "report", "devserver"},  # the run; its views; the server that shares no code with the client
    {"demo", "bench"},  # an experiment with engine and devserver; uploads that are measured, to a user's own store
    {"cli"},  # one file per verb, on top of everything
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

# Who may import what from outside: heavy or dangerous things have one home.
HOMES = {
    "aiohttp": {"transport", "devserver"},  # one HTTP client, one place to tune it; the server is aiohttp.web
    "yarl": {"transport"},
    "httptools": {"transport"},
    "idna": {"transport"},
    "aiohappyeyeballs": {"transport"},
    "rich": {"report", "cli"},
    "matplotlib": {"report"},
    "numpy": {"logs"},  # an extra: what needs it is imported where it is known to be there
    "click": {"cli"},
    "pathspec": {"policy"},
    "isal": {"payload"},  # one place knows that they may be missing
    "zlib_ng": {"payload"},
    "sqlite3": {"journal", "sources"},  # what is done; names sorted in bounded memory
}
WITHOUT_IO = {"policy": {"asyncio", "socket", "time", "random", "threading", "subprocess"}}


def modules() -> Iterator[tuple[str, Path, ast.Module]]:
    """Layer, file and syntax tree of every module below a layer."""
    for path in sorted(PACKAGE.rglob("*.py")):
        layer = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if layer not in ("__init__", "__main__"):
            yield layer, path, ast.parse(path.read_text())


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each absolute import, those inside functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module == "bulkput":
                for alias in node.names:
                    yield node.lineno, f"bulkput.{alias.name}"
            else:
                yield node.lineno, node.module


@pytest.mark.parametrize(("layer", "path", "tree"), list(modules()), ids=lambda value: getattr(value, "stem", None))
def test_imports_go_downwards(layer: str, path: Path, tree: ast.Module) -> None:
    """No module imports from a layer above its own, nor from a sibling beside it."""
    for line, name in imports(tree):
        top, _, rest = name.partition(".")
        if top != "bulkput" or rest.startswith("__"):
            continue
        used = rest.partition(".")[0]
        assert RANK[used] < RANK[layer] or used == layer, f"{path}:{line} {layer} imports {name}"


@pytest.mark.parametrize(("layer", "path", "tree"), list(modules()), ids=lambda value: getattr(value, "stem", None))
def test_outside_libraries_have_one_home(layer: str, path: Path, tree: ast.Module) -> None:
    """An HTTP client only in transport, drawing only in report and cli, decisions without clocks and sockets."""
    for line, name in imports(tree):
        top = name.partition(".")[0]
        assert layer in HOMES.get(top, {layer}), f"{path}:{line} {layer} imports {name}"
        assert top not in WITHOUT_IO.get(layer, set()), f"{path}:{line} {layer} imports {name}"


def test_every_module_has_a_layer() -> None:
    """A new folder is a decision: it gets its rank and its reason here."""
    assert {layer for layer, _, _ in modules()} == set(RANK)


def test_the_devserver_imports_nothing_of_the_client() -> None:
    """What both sides would misread alike, no test would find."""
    for layer, path, tree in modules():
        if layer == "devserver":
            assert not [name for _, name in imports(tree) if name.startswith("bulkput")], path
