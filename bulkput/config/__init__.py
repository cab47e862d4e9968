"""Settings that are not typed: the project's file, the user's file, the environment, and which of them counts."""
