"""Views of a run: they draw what a recorder holds and never change it. Only here and in `cli/` is rich imported."""
