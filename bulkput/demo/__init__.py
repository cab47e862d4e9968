"""The first post's experiment, repeated: 1000 files of 16 KB, three ways to upload them.

`baselines.py` is a symbolic link to benchmarks/baselines.py, which holds the two older ways as programs of their own.
A wheel contains a copy, so the demo works without the source tree.
"""
