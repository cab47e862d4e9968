"""bulkput: put very many files into an object store, fast, cheaply, and with nothing lost.

    import asyncio, bulkput
    summary = asyncio.run(bulkput.upload("./dist", "swift://artifacts/build-42"))
    assert summary.failed == 0

The public names are written down in `__init__.pyi`. Each is imported from its module when it is first used, so that
`import bulkput` itself costs next to nothing.
"""

from importlib import import_module

__version__ = "0.1.0"

_homes: dict[str, str] = {}
"""Public name -> its module, read from the stub when the first name is asked for."""


def _public() -> dict[str, str]:
    if not _homes:
        stub = __spec__.loader.get_data(f"{__path__[0]}/__init__.pyi").decode()  # type: ignore[union-attr]
        imports = (line.split() for line in stub.splitlines() if line.startswith("from "))
        _homes.update({public: home for _, home, _, public, _, _ in imports})
    return _homes


def __getattr__(name: str) -> object:
    if name.startswith("__") and name != "__all__":  # the import system and inspect ask for such names
        raise AttributeError(f"module 'bulkput' has no attribute {name!r}")
    homes = _public()
    if name == "__all__":
        return sorted(homes)
    if name not in homes:
        raise AttributeError(f"module 'bulkput' has no attribute {name!r}")
    home = homes[name]
    found = import_module(f"bulkput.{name}") if home == "bulkput" else getattr(import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_public()})
