"""Watching a long run: a page in the browser, numbers for Prometheus, and the page as one file at the end.

Imported only by a run that is watched. A thread looks at the run once a second (`watcher.py`), so the run does no work
for it per object.
"""
