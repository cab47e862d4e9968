"""Which words can name a bucket: `policy/bucket_names.py`."""

import re
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.policy.bucket_names import Rules, wrong_bucket
from bulkput.stores.base import Destination

NO_NAME = "is no name of a bucket"


@pytest.mark.parametrize(
    ("name", "at_amazon", "elsewhere"),
    [
        ("photos", None, None),
        ("a.b-1", None, None),
        ("b--use1-az4--x-s3", None, None),
        ("a" * 63, None, None),
        ("a" * 64, "write addressing_style = path", None),
        ("a" * 256, NO_NAME, NO_NAME),
        ("ab", NO_NAME, NO_NAME),
        ("Photos", "no name of a bucket at Amazon", None),
        ("my_bucket", "write addressing_style = path into the s3 section of a profile", None),
        ("a..b", "at Amazon", None),
        ("-ab", "at Amazon", None),
        ("ab.", "at Amazon", None),
        ("a+b", "at Amazon", None),
        ("a b", NO_NAME, NO_NAME),
        ("a\tb", NO_NAME, NO_NAME),
        ("a%41", NO_NAME, NO_NAME),
        ("a?b=c", NO_NAME, NO_NAME),
        ("abc#d", NO_NAME, NO_NAME),
        ("a\\bc", NO_NAME, NO_NAME),
        ("fotös", NO_NAME, NO_NAME),
        ("192.168.5.4", "is a server", "is a server"),
        ("minio.example.org:9000", "is a server", "the server into AWS_ENDPOINT_URL"),
        ("[::1]:9000", "is a server", "is a server"),
        ("::1", "is a server", "is a server"),
        ("arn:aws:s3:eu-west-1:1:accesspoint", "the alias of an access point", "an ARN is no name of a bucket"),
        ("AKIA:geheim@bucket", "keys do not belong", "keys do not belong"),
        ("tenant:bucket", "a name with a colon", None),
        ("my_tenant:My_bucket", "a name with a colon", None),
        ("geheim:ab", "a name with a colon", NO_NAME),
        ("geheim:bu cket", "a name with a colon", NO_NAME),
        ("geheim:123456", "a name with a colon", None),
        ("geheim:", "a name with a colon", NO_NAME),
        (":geheim", "a name with a colon", "is no name of a bucket: write s3://BUCKET"),
        ("a:geheim:b", "a name with a colon", "or s3://TENANT:BUCKET"),
    ],
)  # fmt: skip
def test_a_name_is_refused_by_the_rules_of_its_store(name: str, at_amazon: str | None, elsewhere: str | None) -> None:
    """By one sentence, which says what to do."""
    for rules, said in (("amazon", at_amazon), ("other", elsewhere)):
        found = wrong_bucket(name, "amazon" if rules == "amazon" else "other")
        assert (said is None and found is None) or (said is not None and said in (found or "")), (rules, found)
        assert "geheim" not in (found or "")


@pytest.mark.parametrize("url", ["s3://AKIAEXAMPLE:sec/ret@bucket/x", "S3://AKIAEXAMPLE:sec//ret@b", "s3://AKIA:ret@b"])
def test_keys_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    """Of two secrets one has a slash; what stands before it looks like the name of a bucket."""
    with pytest.raises(UsageError, match="keys do not belong into a URL") as raised:
        Destination.parse(url)
    assert not re.search("AKIA|sec|ret", str(raised.value).replace("bucket", ""))
    for name in ("s3://bucket/me@example.org", "s3://tenant:bucket/a", "swift://a:b/c@d"):
        assert str(Destination.parse(name)) == name


NAMES = st.text(st.sampled_from("aZ09.-_:@?#%\\ é+~") | st.characters(exclude_characters="/"), max_size=70)


@given(NAMES, st.sampled_from(("amazon", "other")))
def test_a_name_that_is_taken_is_one_piece_of_a_path(name: str, rules: Rules) -> None:
    """Nothing in it is taken for a port, a user, a query or a fragment. No other store refuses what Amazon takes."""
    if wrong_bucket(name, rules) is not None:
        return
    parts = urlsplit(f"https://host/{quote(name, safe='~')}")
    assert (parts.netloc, unquote(parts.path), parts.query, parts.fragment) == ("host", f"/{name}", "", "")
    assert not set(name) & set("@?#") and name.isascii() and name.isprintable()
    assert ":" not in name or (rules == "other" and re.fullmatch("[^:]+:[^:]{3,}", name))
    assert wrong_bucket(name, "other") is None


@given(st.from_regex(r"\A[a-z0-9][a-z0-9-]{1,61}[a-z0-9]\Z"))
def test_names_by_amazons_rules_are_taken_everywhere(name: str) -> None:
    """But for those that are an address: none without a dot is."""
    assert wrong_bucket(name, "amazon") is wrong_bucket(name, "other") is None


@given(NAMES, NAMES, st.sampled_from(("amazon", "other")))
def test_a_name_with_a_colon_is_repeated_only_as_the_name_of_a_server(one: str, other: str, rules: Rules) -> None:
    """It may hold keys."""
    name = f"{one}:{other}"
    said = wrong_bucket(name, rules)
    assert said is None or repr(name) not in said or re.fullmatch(r"[^:]+:[0-9]+|\[?[0-9a-fA-F:.]+\]?(:[0-9]+)?", name)


@given(NAMES)
def test_whatever_is_refused_gets_one_line(name: str) -> None:
    """Control characters are escaped."""
    said = wrong_bucket(name, "amazon")
    assert said is None or (said.isprintable() and re.search("s3://BUCKET|at Amazon", said))
