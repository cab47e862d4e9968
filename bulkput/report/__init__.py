"""Views of a run: they draw what a recorder holds and never change it. Only this folder and `cli/` import rich."""
