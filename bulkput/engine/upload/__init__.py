"""The upload. Start reading at `pipeline.py`."""
