"""The first post's experiment, repeated: 1000 files of 16 KB, three ways to upload them.

`baselines.py` is a link to benchmarks/baselines.py, where the two older ways live as programs of their own; in a
wheel it is a copy. That keeps one text of them, and the demo works without the source tree.
"""
