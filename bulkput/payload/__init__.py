"""What goes on the wire: files as replayable bodies, and their digests. File I/O and hashing run in threads."""
