"""The stores that bulkput has itself. Imports nothing: the first that a run by several processes needs."""

MODULES = {
    "swift": "bulkput.stores.swift.store",
    "s3": "bulkput.stores.s3.store",
    "http": "bulkput.stores.http.store",
    "https": "bulkput.stores.http.store",
    "tempurl": "bulkput.stores.swift.temp_url",
}
"""By the scheme of a URL, the module whose `open_store` is a `stores/base.py:StoreFactory`."""
