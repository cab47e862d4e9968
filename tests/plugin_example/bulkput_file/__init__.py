"""A directory on disk as a store for bulkput: `file://CONTAINER[/PREFIX]`, below the directory FILE_STORE_ROOT."""

from bulkput_file.store import open_store

__all__ = ["open_store"]
