"""A store of another package that has faults: that of tests/plugin_example, with a fault of the test's in its PUT."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent, indent

EXAMPLE = Path(__file__).parents[1] / "plugin_example"
URL = "faulty://c"
_MODULE = """
import os

from bulkput.errors import StoreError
from bulkput_file.store import FileStore

{before}

class FaultyStore(FileStore):
    async def put(self, key, body, headers):
{fault}
        return await super().put(key, body, headers)


def open_store(destination, context):
    return FaultyStore(context.environ["FILE_STORE_ROOT"], destination.root)
"""


def installed(place: Path, fault: str, *, before: str = "") -> dict[str, str]:
    """Writes the package to `place`, as pip would: `fault` is executed for each object, and `before` once.

    Gives the variables with which Python and bulkput find it. Objects are files below `place`.
    """
    text = _MODULE.format(before=dedent(before), fault=indent(dedent(fault), " " * 8))
    metadata = place / "faulty-1.0.dist-info"
    metadata.mkdir(parents=True)
    (place / "faulty_store.py").write_text(text)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[bulkput.stores]\nfaulty = faulty_store:open_store\n")
    before_them = [os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else []
    found = [str(place), str(EXAMPLE), *before_them]
    return {"PYTHONPATH": os.pathsep.join(found), "FILE_STORE_ROOT": str(place)}
