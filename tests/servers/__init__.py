"""Real servers for tests, each a context manager that ends the processes it started."""
