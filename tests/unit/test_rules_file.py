"""Files of rules: what they say, and the sentence for each mistake."""

import tomllib
from pathlib import Path

import pytest

from bulkput.config.rules_file import read_rules
from bulkput.errors import UsageError
from bulkput.options import UploadOptions
from bulkput.policy.rules import Rules, check_rules
from bulkput.rule_options import Rule

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = sorted((DOCS / "examples").glob("*.toml"))


def read(path: Path, text: str) -> tuple[Rule, ...]:
    (path / "r.toml").write_text(text, encoding="utf-8")
    return read_rules(str(path / "r.toml"))


def test_every_field_of_a_rule_can_be_written(tmp_path: Path) -> None:
    """A pattern may stand alone or in a list, a duration may be a number of seconds; values are stripped."""
    text = """
        [[rule]]
        match = ["*.html", "!/x.html"]
        content-type = " text/html "
        cache-control = "no-cache"
        content-disposition = "inline"
        metadata = {Build = "7", "x-y" = ""}
        expires-in = "2d"
        gzip = "auto"
        storage-class = "COLD"
        [[rule]]
        match = "*"
        expires-in = 90
    """
    assert read(tmp_path, text) == (
        Rule(
            match=("*.html", "!/x.html"),
            content_type="text/html",
            cache_control="no-cache",
            content_disposition="inline",
            meta=(("Build", "7"), ("x-y", "")),
            expires_in_s=172_800,
            gzip="auto",
            storage_class="COLD",
        ),
        Rule(match=("*",), expires_in_s=90),
    )


FIRST = '[[rule]]\nmatch = "*"\ngzip = "never"\n'
ONE = '[[rule]]\nmatch = "a"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no rule in it: begin each with [[rule]]"),
        ("rule = []", "there is no rule in it: begin each with [[rule]]"),
        ("[[rules]]\nmatch = 'a'", "'rules' is nothing that a file of rules has: did you mean [[rule]]?"),
        ("match = 'a'", "'match' is nothing that a file of rules has: it has tables [[rule]] and nothing else"),
        ("[rule]\nmatch = 'a'", "rule is a table: begin each rule with [[rule]], in two brackets"),
        ("rule = 3", "rule is the number 3: begin each rule with [[rule]], in two brackets"),
        ("[[rule]]\nmatch = \n", "is not TOML: Invalid value (at line 2, column 9)"),
        (FIRST + ONE + "cache-controll = 'x'", "rule 2: 'cache-controll' is no field of a rule: did you mean"),
        (FIRST + ONE + "cache_control = 'x'", "'cache_control' is no field of a rule: did you mean cache-control?"),
        (FIRST + ONE + "colour = 'x'", "rule 2: 'colour' is no field of a rule: a rule has match, content-type, "),
        (FIRST + "[[rule]]\ngzip = 'auto'", "rule 2: match is missing, which says what files it is about"),
        (FIRST + "[[rule]]\nmatch = []\ngzip = 'auto'", "rule 2: match is missing"),
        (FIRST + "[[rule]]\nmatch = 3", 'rule 2: match is the number 3: write a pattern, "*.html", or a list'),
        (FIRST + "[[rule]]\nmatch = ['a', 3]", "rule 2: match is a list that holds something else"),
        (FIRST + ONE, "rule 2: it says nothing about its files: give it a field beside match"),
        (FIRST + ONE + "metadata = {}", "rule 2: it says nothing about its files"),
        (ONE + "content-type = 3", "rule 1: content-type is the number 3: write a string, in quotes"),
        (ONE + "content-type = ' '", "rule 1: content-type is empty: leave it out"),
        (ONE + "content-type = 'html'", "rule 1: content-type: 'html' is no type: write two words with a slash"),
        ("[[rule]]\nmatch = ['', '!a']\ngzip = 'auto'", "rule 1: match has nothing but exceptions, with !"),
        (ONE + 'cache-control = "a\\nb"', r"rule 1: cache-control: the value 'a\nb' has a control character"),
        (ONE + "metadata = 'x'", 'rule 1: metadata is a string: write {name = "value"}'),
        (ONE + "metadata = {a = 3}", "rule 1: metadata.a is the number 3: write a string, in quotes"),
        (ONE + "metadata = {'a b' = 'x'}", "rule 1: metadata: 'a b' is not a header name"),
        (ONE + "metadata = {a = '1', A = '2'}", "rule 1: metadata has A twice"),
        (ONE + "expires-in = '3 days'", "rule 1: expires-in: '3 days' is not a duration: write seconds, or 30m, 12h"),
        (ONE + "expires-in = 0", "rule 1: expires-in: '0' is too short"),
        (ONE + "expires-in = -1", "rule 1: expires-in: '-1' is not a duration"),
        (ONE + "expires-in = 1.5", "rule 1: expires-in is the number 1.5: write a duration"),
        (ONE + "expires-in = true", "rule 1: expires-in is true: write a duration"),
        (ONE + "expires-in = 2026-01-01", "rule 1: expires-in is a date or time: write a duration"),
        (ONE + "gzip = 'allways'", """rule 1: gzip is 'allways': write "auto", "always" or "never\""""),
        (ONE + "gzip = true", """rule 1: gzip is true: write "auto", "always" or "never\""""),
        (ONE + "storage-class = ['a']", "rule 1: storage-class is a list: write a string, in quotes"),
    ],
)
def test_a_mistake_is_one_sentence_with_the_file_and_the_rule(tmp_path: Path, text: str, says: str) -> None:
    """And with what to write."""
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path}/r.toml")
    assert says in said
    assert "\n" not in said


def test_a_byte_order_mark_is_no_part_of_a_file_of_rules(tmp_path: Path) -> None:
    assert read(tmp_path, f"\ufeff{FIRST}") == (Rule(match=("*",), gzip="never"),)


def test_a_file_of_rules_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Missing, a directory, or not UTF-8."""
    (tmp_path / "latin").write_bytes(b'[[rule]]\nmatch = "\xe9"')
    for name, says in (
        ("no", "cannot read .*/no: No such file"),
        ("", "cannot read .*: Is a directory"),
        ("latin", "is not UTF-8"),
    ):
        with pytest.raises(UsageError, match=says):
            read_rules(str(tmp_path / name))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_a_file_of_rules_and_stands_on_its_page(example: Path) -> None:
    """Word for word."""
    options = UploadOptions(rules=read_rules(str(example)))
    check_rules(options)
    Rules(options)
    page = (DOCS / "publish.md").read_text()
    assert f"```toml\n{example.read_text()}```\n" in page
    assert f"(examples/{example.name})" in page


def test_the_rules_that_the_page_shows_can_be_read(tmp_path: Path) -> None:
    """Each block of TOML on docs/publish.md."""
    blocks = (DOCS / "publish.md").read_text().split("```toml\n")[1:]
    assert len(blocks) == 1 + len(EXAMPLES)
    for block in blocks:
        text = block.partition("```")[0]
        assert len(read(tmp_path, text)) == len(tomllib.loads(text)["rule"])
