"""A project and a home for tests of files with options."""

from pathlib import Path

from tests.e2e.cli import Ran, bulkput


class Place:
    """A repository with `dist/index.html` in it, a home, and the files of both."""

    def __init__(self, root: Path, environ: dict[str, str]) -> None:
        self.project = root / "project"
        self.here = self.project / "sub"
        self.user_file = root / "xdg" / "bulkput" / "config.toml"
        self.environ = {**environ, "XDG_CONFIG_HOME": str(root / "xdg"), "HOME": str(root)}
        for directory in (self.project / ".git", self.here / "dist", self.user_file.parent):
            directory.mkdir(parents=True)
        (self.here / "dist" / "index.html").write_text("hello\n")

    def write(self, *, project: str = "", user: str = "") -> None:
        (self.project / "bulkput.toml").write_text(project)
        self.user_file.write_text(user)

    def run(self, *arguments: str, **variables: str) -> Ran:
        """In a directory below the project's root."""
        return bulkput(*arguments, environ={**self.environ, **variables}, cwd=self.here)

    def succeed(self, *arguments: str, **variables: str) -> str:
        """What it prints on stdout."""
        ran = self.run(*arguments, **variables)
        assert ran.exit_code == 0, ran.err
        return ran.out

    def refused(self, *arguments: str, **variables: str) -> str:
        """The only line of an error in usage, without the directory of the test."""
        ran = self.run(*arguments, **variables)
        assert (ran.exit_code, ran.out) == (2, ""), ran.err
        assert ran.err.count("\n") == 1 and ran.err.startswith("bulkput: ")
        return ran.err.removeprefix("bulkput: ").strip().replace(str(self.project.parent), "")
