"""Real servers for tests, each a context manager that ends what it started."""
