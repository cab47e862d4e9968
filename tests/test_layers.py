"""Imports go one way, downwards. Each layer's reason stands beside it; a violation names the line to look at.

`python tests/test_layers.py` draws the engine as text: its boxes (files and rooms), its arrows (imports), its floors.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "bulkput"

# From the bottom up. A module imports from layers below its own, and from its own where that is one folder.
LAYERS: list[set[str]] = [
    {"record", "activity"},  # every layer uses these, so they import none
    {"errors"},  # what can go wrong, said once
    {"model"},  # the nouns
    # what happens in other verbs, to objects without files, and in the sources; `events` has all
    {"verb_events", "mirror_events", "worker_events", "source_events"},
    {"option_types"},  # what fits an annotation, for options
    # parts of the options, each in a file of its own
    {"large_options", "rule_options", "s3_options", "share_options", "wire_options"},
    {"options", "events"},  # choices and occurrences, in terms of the nouns
    {"verb_options"},  # the options of the verbs other than upload, made of the same groups
    {"results"},  # what an upload returns, and what all results share
    {"verb_results"},  # what the other verbs return
    {"recorder"},  # the pure fold of events into an upload's result
    {"policy"},  # decisions without I/O: testable by tables, usable by any engine
    {"transport", "payload"},  # bytes: on sockets, out of files
    {"stores", "sources", "journal"},  # where objects go, where files come from, what is done
    {"logs"},  # access logs: files and objects to lines, lines to groups, which views draw
    {
        "engine",
        "report",
        "devserver",
        "rates",
    },  # what every run has; views of runs; the server that shares no code with the client; the service of shared rates
    # files and objects paired by name: for uploads with --skip, for verify, for removals; sources that are URLs
    {"engine.compare", "engine.sources"},
    {"watch"},  # shows a run in a browser, made of what the views have
    {"engine.verify", "engine.objects"},  # compare files with objects; copy, move and remove objects
    {"engine.upload"},  # the main job; a mirror removes objects
    {"sync"},  # the verbs for scripts
    # an experiment with engine and devserver; uploads that are measured, to a user's own store; a look at each step to
    # a store, which takes the engine's store and makes network connections of its own
    {"demo", "bench", "doctor"},
    {"scale"},  # uploads by several processes: calls the verb, which knows nothing of them
    {"config"},  # options that are not typed: from files, from the environment
    {"cli"},  # one file per verb, on top of everything
    {"testing"},  # tests for the authors of stores: nothing of the product imports them
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

# Who may import what from outside: heavy or dangerous things have one home.
HOMES = {
    "aiohttp": {
        "transport",
        "devserver",
        "rates",
        "watch",
    },  # one HTTP client, one place to tune it; servers are aiohttp.web
    "yarl": {"transport"},
    "aiofiles": {"payload"},  # one place opens files with it
    "httptools": {"transport"},
    "idna": {"transport"},
    "aiohappyeyeballs": {"transport"},
    "rich": {"report", "cli"},
    "matplotlib": {"report"},
    "prometheus_client": {"watch"},
    "numpy": {"logs"},  # an extra: what needs it is imported where it is known to be there
    "click": {"cli"},
    "pathspec": {"policy"},
    "pytest": {"testing"},  # which users do not have
    "isal": {"payload"},  # one place knows that they may be missing
    "zlib_ng": {"payload"},
    "sqlite3": {"journal", "sources"},  # what is done; names sorted in bounded memory
    "openstack": {"stores"},  # an extra: reads clouds.yaml
    "yaml": {"stores"},  # which it brings
    "keystoneauth1": {"stores"},  # an extra: the ways to log in that are not ours
    "botocore": {"stores"},  # an extra: the AWS command line's credentials and settings
    "awscrt": {"stores"},  # an extra: checksums
    "dask": {"scale"},  # an extra: its client, for uploads by its workers; in one file, see below
    "distributed": {"scale"},
    "requests": {"stores"},  # its requests, which our transport sends
}
WITHOUT_IO = {"policy": {"asyncio", "socket", "time", "random", "threading", "subprocess"}}


ROOMS = {name for name in RANK if "." in name}


def layer_of(module: str) -> str:
    """The layer of a module by its dotted name below the package: that of `engine.stop` is `engine`."""
    first, _, rest = module.partition(".")
    room = f"{first}.{rest.partition('.')[0]}"
    return room if room in ROOMS else first


def modules() -> Iterator[tuple[str, Path, ast.Module]]:
    """Layer, file and syntax tree of every module below a layer."""
    for path in sorted(PACKAGE.rglob("*.py")):
        layer = layer_of(".".join(path.relative_to(PACKAGE).with_suffix("").parts))
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
def test_no_module_imports_from_a_higher_or_sibling_layer(layer: str, path: Path, tree: ast.Module) -> None:
    """No module imports from a layer above its own, nor from a sibling beside it."""
    for line, name in imports(tree):
        top, _, rest = name.partition(".")
        if top != "bulkput" or rest.startswith("__"):
            continue
        used = layer_of(rest)
        assert RANK[used] < RANK[layer] or used == layer, f"{path}:{line} {layer} imports {name}"


@pytest.mark.parametrize(("layer", "path", "tree"), list(modules()), ids=lambda value: getattr(value, "stem", None))
def test_each_external_library_is_imported_by_its_layers_only(layer: str, path: Path, tree: ast.Module) -> None:
    """HTTP clients belong to transport, drawing to report and cli; decisions use no clock and no socket."""
    for line, name in imports(tree):
        top = name.partition(".")[0]
        assert layer.partition(".")[0] in HOMES.get(top, {layer.partition(".")[0]}), (
            f"{path}:{line} {layer} imports {name}"
        )
        assert top not in WITHOUT_IO.get(layer, set()), f"{path}:{line} {layer} imports {name}"


def test_dask_is_imported_in_one_file() -> None:
    """It is `scale/cluster.py`: all else works for users who do not have Dask."""
    for _, path, tree in modules():
        if {name.partition(".")[0] for _, name in imports(tree)} & {"dask", "distributed"}:
            assert path == PACKAGE / "scale" / "cluster.py"


def test_every_module_has_a_layer() -> None:
    """A new folder needs its rank and its reason here."""
    assert {layer for layer, _, _ in modules()} == set(RANK)


def test_the_devserver_imports_no_client_code() -> None:
    """With shared code, an error on both sides would stay unnoticed."""
    for layer, path, tree in modules():
        if layer == "devserver":
            assert not [name for _, name in imports(tree) if name.startswith("bulkput")], path


def boxes_of(folder: str) -> dict[str, set[str]]:
    """The boxes of a layer's folder, files and rooms, each with the boxes of that folder that it imports."""
    boxes: dict[str, set[str]] = {}
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        box = path.relative_to(PACKAGE / folder).parts[0].removesuffix(".py")
        if path.name == "__init__.py":
            continue
        used = {
            name.split(".")[2]
            for _, name in imports(ast.parse(path.read_text()))
            if name.startswith(f"bulkput.{folder}.")
        }
        boxes.setdefault(box, set()).update(used - {box})
    return boxes


def floor_of(box: str, boxes: dict[str, set[str]], above: tuple[str, ...] = ()) -> int:
    """The boxes below `box`, one upon the other, and itself: how many. Raises AssertionError for a circle."""
    assert box not in above, f"{' -> '.join((*above, box))} is a circle of imports"
    return 1 + max((floor_of(each, boxes, (*above, box)) for each in boxes[box]), default=0)


def test_the_engine_has_few_modules_in_few_levels() -> None:
    """Its imports have no cycle."""
    boxes = boxes_of("engine")
    assert len(boxes) <= 12
    assert max(floor_of(box, boxes) for box in boxes) <= 4


if __name__ == "__main__":
    drawn = boxes_of("engine")
    for box in sorted(drawn, key=lambda each: (-floor_of(each, drawn), each)):
        print(f"{floor_of(box, drawn)}  {box} -> {', '.join(sorted(drawn[box])) or '-'}")
    arrows = sum(map(len, drawn.values()))
    print(f"{len(drawn)} boxes, {arrows} arrows, {max(floor_of(box, drawn) for box in drawn)} floors")
