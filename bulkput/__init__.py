"""bulkput: put very many files into an object store, fast, cheaply, and with nothing lost.

    import asyncio, bulkput
    summary = asyncio.run(bulkput.upload(["./dist"], "swift://artifacts/build-42"))
    assert summary.failed == 0

Everything here is imported when it is first used: `import bulkput` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bulkput.engine.open_store import list_objects, open_store
    from bulkput.engine.stop import Stop
    from bulkput.engine.upload.upload import upload
    from bulkput.engine.verify.verify import verify
    from bulkput.errors import BulkputError, SourceError, StoreError, UsageError
    from bulkput.model import Prefix, RemoteObject
    from bulkput.options import GzipOptions, UploadOptions
    from bulkput.payload.gzip import GzipReader
    from bulkput.policy.compare import Comparison, Finding, Verdict
    from bulkput.recorder import Summary
    from bulkput.stores.base import Destination, Store

__version__ = "0.1.0"

_HOMES = {
    "upload": "engine.upload.upload",
    "list_objects": "engine.open_store",
    "open_store": "engine.open_store",
    "verify": "engine.verify.verify",
    "Stop": "engine.stop",
    "BulkputError": "errors",
    "UsageError": "errors",
    "SourceError": "errors",
    "StoreError": "errors",
    "Prefix": "model",
    "RemoteObject": "model",
    "GzipOptions": "options",
    "UploadOptions": "options",
    "GzipReader": "payload.gzip",
    "Comparison": "policy.compare",
    "Finding": "policy.compare",
    "Verdict": "policy.compare",
    "Summary": "recorder",
    "Destination": "stores.base",
    "Store": "stores.base",
}

__all__ = [
    "BulkputError",
    "Comparison",
    "Destination",
    "Finding",
    "GzipOptions",
    "GzipReader",
    "Prefix",
    "RemoteObject",
    "SourceError",
    "Stop",
    "Store",
    "StoreError",
    "Summary",
    "UploadOptions",
    "UsageError",
    "Verdict",
    "list_objects",
    "open_store",
    "upload",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'bulkput' has no attribute {name!r}")
    return getattr(import_module(f"bulkput.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
