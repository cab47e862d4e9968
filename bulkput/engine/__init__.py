"""The run: from found files to stored objects. Start reading at `pipeline.py`."""
