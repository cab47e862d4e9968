"""Where files come from. A source is a plain iterator of `Found`, in bytewise order of the names."""
