"""The journal of a run: a SQLite file, by which a crashed run resumes. Start at `journal.py`."""
