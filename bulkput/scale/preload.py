"""What the processes of a sharded run need, imported once, by the server that forks them."""

import bulkput.stores.http.store
import bulkput.stores.s3.store
import bulkput.stores.swift.store
import bulkput.transport.wire  # noqa: F401 - all four: imported for their own sake
