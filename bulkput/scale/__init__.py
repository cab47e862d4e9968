"""Uploads by several processes, on this machine or on many."""
