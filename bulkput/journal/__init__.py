"""What a run has done, in a SQLite file: so that a crash repeats little and loses nothing. Start at `journal.py`."""
