"""What is said to a command line that has no verb of ours, or a flag of another tool."""

import re
import shlex
from pathlib import Path

import click
import pytest

from bulkput.cli.environment import VARIABLES
from bulkput.cli.main import bulkput as group
from bulkput.cli.mistakes import ELSEWHERE, FLAGS_ELSEWHERE, VARIABLES_ELSEWHERE
from bulkput.cli.values import OneOf
from tests.e2e.cli import Bulkput

VERBS = group.list_commands(click.Context(group))
OTHERS = re.compile(r"^# .*?\b(?:swift|rclone|aws s3) ([a-z]+)(?:.*\bs5cmd ([a-z]+))?", re.MULTILINE)
DOCS = Path(__file__).parents[2] / "docs"


def verb_named(name: str) -> click.Command:
    verb = group.get_command(click.Context(group), name)
    assert verb is not None, name
    return verb


def flags_of(verb: click.Command) -> set[str]:
    return {spelling for each in verb.get_params(click.Context(verb)) for spelling in each.opts}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("uplaod", "no such verb 'uplaod': did you mean upload?"),
        ("uplaod ./dist swift://c", "no such verb 'uplaod': did you mean upload?"),
        ("uplaod --help", "no such verb 'uplaod': did you mean upload?"),
        ("sl swift://c", "no such verb 'sl': did you mean ls?"),
        ("xyzzy", "no such verb 'xyzzy': bulkput --help lists the verbs"),
        ("'x\ny'", r"no such verb 'x\ny': bulkput --help lists the verbs"),
        ("DELETE swift://c/x", "no such verb 'DELETE': bulkput rm removes an object, bulkput rm -r all below a prefix"),
        ("get swift://c/x", "no such verb 'get': bulkput does not download; rclone copy and swift download do"),
        ("./dist swift://c", "the verb is missing: bulkput upload ./dist swift://c"),
        ("/srv/a /srv/b swift://c", "the verb is missing: bulkput upload /srv/a /srv/b swift://c"),
        ("'./my dist' swift://c/", "the verb is missing: bulkput upload './my dist' swift://c/"),
        (
            "presign s3://c/x",
            "no such verb 'presign': bulkput tempurl makes a URL of Swift's, with which others upload or download for a"
            " while; aws s3 presign makes one of S3's",
        ),
        ("tree swift://c", "no such verb 'tree': bulkput ls lists one level, bulkput ls -r everything"),
        ("here swift://c", "the verb is missing: bulkput upload here swift://c"),
        ("here", "the verb is missing: bulkput upload here DEST"),
        ("- swift://c/x", "the verb is missing: bulkput upload - swift://c/x"),
        ("swift://c", "the verb is missing: bulkput ls swift://c"),
        ("swift://a/x swift://b/", "the verb is missing: bulkput cp swift://a/x swift://b/"),
        ("swift://c ./dist", "the verb is missing: bulkput upload ./dist swift://c"),
        ("./dist --header X:secret swift://c", "the verb is missing: bulkput upload ./dist ..."),
        ("./x https://u:secret@h/", "the verb is missing: bulkput upload ./x https://..."),
        ("./x 'https://h/?temp_url_sig=secret'", "the verb is missing: bulkput upload ./x https://..."),
        (
            "upload swift://c ./dist",
            "DEST comes last: bulkput upload ./dist swift://c (which sends files: bulkput does not download)",
        ),
        ("verify swift://c a b", "DEST comes last: bulkput verify a b swift://c"),
        (
            "upload 'https://h/?sig=secret' x",
            "DEST comes last: bulkput upload x https://... (which sends files: bulkput does not download)",
        ),
        ("cp ./x swift://c", "./x is a file here, and cp takes objects: bulkput upload sends files"),
        ("cp here swift://c", "here is a file here, and cp takes objects: bulkput upload sends files"),
        ("mv swift://c/x .", ". is a path here, and mv stays within the store: bulkput does not download"),
        ("cp swift:c/x swift://d", "destination 'swift:c/x' is no URL: did you mean swift://c/x?"),
    ],
)
def test_a_mistake_gets_one_line_that_says_what_to_write(
    bulkput: Bulkput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, said: str
) -> None:
    """Exit code 2. Values of flags, passwords and signatures are not repeated."""
    (tmp_path / "here").mkdir()
    (tmp_path / "tree").mkdir()
    monkeypatch.chdir(tmp_path)
    ran = bulkput(*shlex.split(line))
    assert (ran.exit_code, ran.out, ran.err) == (2, "", f"bulkput: {said}\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("upload --gzip atuo x swift://c", "'atuo' is not one of 'auto', 'always', 'never': did you mean auto?"),
        ("upload --skip ident x swift://c", "'none', 'existing', 'unchanged', 'identical': did you mean identical?"),
        ("upload --gzip zstd x swift://c", "'zstd' is not one of 'auto', 'always', 'never'."),
        ("upload --transfers 5 x swift://c", "No such option '--transfers': here it is --concurrency N"),
        ("upload -r x swift://c", "No such option '-r': here it is a directory as SOURCE"),
        ("verify --recursive x swift://c", "No such option '--recursive': here it is a directory as SOURCE"),
        ("upload --acl public-read x s3://c", "'--acl': here it is --header 'x-amz-acl: public-read'"),
        ("cp --storage-class COLD s3://c/a s3://c/b", "No such option '--storage-class'"),
        ("upload --storage-class COLD x s3://c", "here it is --header 'x-amz-storage-class: STANDARD_IA', or --rules"),
        ("upload --sse AES256 x s3://c", "here it is --header 'x-amz-server-side-encryption: AES256', or aws:kms"),
        ("mv --acl private s3://c/a s3://c/b", "here it is --header 'x-amz-acl: public-read'"),
        ("ls --endpoint-url http://h s3://c", "'--endpoint-url': here it is a variable, AWS_ENDPOINT_URL=https://HOST"),
        ("upload --region eu x s3://c", "'--region': here it is a variable, AWS_REGION=NAME"),
        ("verify --no-sign-request x s3://c", "here it is a variable, AWS_SKIP_SIGNATURE=true"),
        ("rm --sse-c-key geheim s3://c", "here it is a variable, BULKPUT_S3_SSE_C_KEY=KEY"),
        ("upload --delete x swift://c", "No such option '--delete'. Did you mean '--delete-extra'?"),
        ("rm --transfers 5 swift://c", "No such option '--transfers': here it is --concurrency N"),
        ("--gzip auto x swift://c", "--gzip goes after the verb: bulkput upload --gzip ..."),
        ("-r ls swift://c", "-r goes after the verb: bulkput ls -r ..."),
        ("upload --only-show-errors x s3://c", "'--only-show-errors': here it is -q"),
        ("upload --no-verify-ssl x s3://c", "'--no-verify-ssl': here it is --insecure"),
        ("ls --no-verify-ssl s3://c", "'--no-verify-ssl': here it is --insecure"),
        ("upload --part-size 8 x s3://c", "'--part-size': here it is --segment-size SIZE"),
        ("upload --s3-chunk-size 8M x s3://c", "'--s3-chunk-size': here it is --segment-size SIZE"),
        ("upload --tags a=b x s3://c", "'--tags': here it is --header 'x-amz-tagging: NAME=VALUE'"),
        ("cp --tagging a=b s3://c/a s3://c/b", "'--tagging': here it is --header 'x-amz-tagging: NAME=VALUE'"),
        ("upload --content-encoding br x s3://c", "here it is --header 'Content-Encoding: ...', or --gzip auto"),
        ("upload --if-size-differ x s3://c", "'--if-size-differ': here it is --skip unchanged"),
        ("upload --log-level ERROR x s3://c", "'--log-level': here it is -v for more, or -q for failures alone"),
        ("upload --max-delete 9 x s3://c", "'--max-delete': here it is --yes, without which --delete-extra takes 1000"),
        ("upload --expires 2030 x s3://c", "here it is --header 'Expires: ...', or --expires-in TIME in Swift"),
        ("upload --checkers 9 x s3://c", "'--checkers': here it is --concurrency N"),
        ("upload --stats 9s x s3://c", "'--stats': here it is --progress plain"),
        ("segments --abort s3://c", "'--abort': here it is --reap"),
        ("rm --stats 9s s3://c", "No such option '--stats'"),
        ("--hlep", "No such option '--hlep'. Did you mean '--help'?"),
    ],
)
def test_a_wrong_flag_or_choice_gets_the_right_one(bulkput: Bulkput, line: str, said: str) -> None:
    """Exit code 2, and click's usage line above."""
    ran = bulkput(*shlex.split(line))
    assert ran.exit_code == 2
    assert ran.err.startswith("Usage: bulkput ")
    assert said in ran.err.splitlines()[-1]


@pytest.mark.parametrize("here", sorted(set(ELSEWHERE.values())))
def test_each_verb_and_flag_that_is_pointed_to_exists(here: str) -> None:
    """The text is commands of ours: `bulkput VERB FLAGS`, and flags of the verb before them."""
    named = re.findall(r"bulkput (?!does not)([a-z]+)([^;]*)", here)
    for name, rest in named:
        assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest)) <= flags_of(verb_named(name)), here
    assert named or "bulkput --" in here or "bulkput does not" in here


def test_words_of_other_tools_are_no_verbs_and_cover_the_page() -> None:
    """Each command of another tool in docs/coming-from.md is a verb here, or is pointed to the one that does it."""
    assert not set(ELSEWHERE) & set(VERBS)
    told = {word for words in OTHERS.findall((DOCS / "coming-from.md").read_text()) for word in words if word}
    assert {"upload", "copy", "sync", "check", "lsf", "purge", "delete"} <= told
    assert told <= set(ELSEWHERE) | set(VERBS)


def test_flags_of_other_tools_are_no_flags_of_ours_and_point_to_one() -> None:
    """Of upload or segments; or to a form of SOURCE or DEST."""
    flags = flags_of(verb_named("upload")) | flags_of(verb_named("segments"))
    assert not set(FLAGS_ELSEWHERE) & flags
    for here in FLAGS_ELSEWHERE.values():
        assert "SOURCE" in here or "DEST" in here or set(re.findall(r"--[a-z-]+", here)) <= flags, here


def test_variables_in_place_of_flags_are_in_the_table_of_variables() -> None:
    """And no verb has a flag of that name."""
    known = " ".join(names for names, _ in VARIABLES) + " OS_REGION_NAME AWS_SHARED_CREDENTIALS_FILE"
    for flag, here in VARIABLES_ELSEWHERE.items():
        assert not any(flag in flags_of(verb_named(name)) for name in VERBS), flag
        assert all(name in known for name in re.findall(r"[A-Z0-9_]+(?==)", here)), here


def test_every_choice_of_a_flag_names_the_nearest() -> None:
    """A flag with click's own Choice would not."""
    for name in VERBS:
        for each in verb_named(name).params:
            assert not isinstance(each.type, click.Choice) or isinstance(each.type, OneOf), (name, each.name)
