"""The upload."""
