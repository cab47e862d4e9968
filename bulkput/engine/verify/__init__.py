"""The comparison of files with what a store holds."""
