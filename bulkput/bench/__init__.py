"""`bulkput bench`: timed uploads to the user's own store; it finds the limit and recommends a concurrency."""
