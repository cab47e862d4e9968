"""OpenStack Swift: logging in, and the object API."""
