"""Bytes and sockets. Only this layer imports an HTTP client."""
