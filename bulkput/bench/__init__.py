"""`bulkput bench`: real uploads to a user's own store, time-boxed and measured; what limits them, and what to do."""
