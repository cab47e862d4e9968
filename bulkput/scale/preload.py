"""Imported first of all by the server that forks the processes of a sharded run, and by nothing else.

From then on, until a process is forked, there are no garbage collections: they would find nothing among what is
imported (as in `__main__.py`).
"""

import gc

USUAL_COLLECTIONS = gc.get_threshold()
gc.set_threshold(100_000)
