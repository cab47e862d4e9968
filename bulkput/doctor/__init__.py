"""`bulkput doctor`: looks at each step on the way to a store, says what is wrong with it, and what to do."""
