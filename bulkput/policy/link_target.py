"""Where the copy of a link leads. Names are CONTAINER/OBJECT.

| the link of the source leads to                 | its copy                                                          |
|-------------------------------------------------|-------------------------------------------------------------------|
| an object that the run copies                   | leads to the copy of that object                                  |
| another object, and both are in one account     | leads to the same object                                          |
| another object                                  | is no link, but has what the link gives, as everywhere where the  |
|                                                 | destination has no links                                          |
"""

from collections.abc import Callable

from bulkput.record import frozen


@frozen(kw_only=True)
class LinkTargets:
    """`below` and `to` are CONTAINER/PREFIX, of the source and of the destination. `takes` says of the name of an
    object below the source whether the run copies it."""

    below: str
    to: str
    takes: Callable[[bytes], bool]
    is_one_account: bool

    def of(self, link: str) -> str | None:
        """The target of the copy of a link; None if it is to be no link."""
        if link.startswith(self.below) and self.takes(link[len(self.below) :].encode()):
            return self.to + link[len(self.below) :]
        return link if self.is_one_account else None
