"""What a run reads from: whether paths answer, and how a URL is opened, looked at, listed and read."""
