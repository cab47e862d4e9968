"""The tag of a run."""

import pytest

from bulkput.cli.flags import in_flags
from bulkput.errors import UsageError
from bulkput.options import HeaderOptions, UploadOptions
from bulkput.policy.tag import MOST, tagged


@pytest.mark.parametrize("tag", ["build-4711", "v1.2.3", "A_b", "x" * MOST, "-"])
def test_a_word_is_a_tag(tag: str) -> None:
    """It changes nothing of the options unless it is kept."""
    options = UploadOptions(tag=tag)
    assert tagged(options) is options


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("", "--tag '': a tag is made of letters, digits, dots, dashes and underscores"),
        ("build 4711", "--tag 'build 4711': a tag is made of letters"),
        ("a\r\nX-Evil: b", "a tag is made of letters"),
        ("build-4711\n", "a tag is made of letters"),
        ("größe", "a tag is made of letters"),
        ("a)", "a tag is made of letters"),
        ("x" * 33, "has 33 characters: Swift takes 32 into the ids of its requests"),
    ],
)
def test_a_tag_that_cannot_be_sent_is_refused(tag: str, said: str) -> None:
    """The sentence says what a tag may be."""
    with pytest.raises(UsageError) as refused:
        tagged(UploadOptions(tag=tag))
    assert said in in_flags(str(refused.value))


def test_a_tag_is_kept_as_metadata_where_asked() -> None:
    """Beside other metadata, whose Tag it does not replace."""
    headers = HeaderOptions(meta=(("Color", "red"),))
    kept = tagged(UploadOptions(tag="b1", keep_tag=True, headers=headers))
    assert kept.headers.meta == (("Color", "red"), ("Tag", "b1"))
    with pytest.raises(UsageError, match="exclude each other"):
        tagged(UploadOptions(tag="b1", keep_tag=True, headers=HeaderOptions(meta=(("tag", "x"),))))
    with pytest.raises(UsageError, match="needs a `tag`"):
        tagged(UploadOptions(keep_tag=True))
