"""The engine turns found files into stored objects. Start reading at `upload/pipeline.py`."""
