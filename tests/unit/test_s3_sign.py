"""Signatures: those that AWS has published, and what never shows in a text."""

import hashlib
import traceback
from datetime import UTC, datetime

import pytest

from bulkput.stores.s3.sign import EMPTY_SHA256, UNSIGNED, Keys, Signer

KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
HOST = "examplebucket.s3.amazonaws.com"
NOON_S = datetime(2013, 5, 24, tzinfo=UTC).timestamp()
SCOPE = "20130524/us-east-1/s3/aws4_request"


@pytest.mark.parametrize(
    ("request_", "fields", "payload", "names", "signature"),
    [
        pytest.param(
            ("GET", HOST, "/test.txt", ""),
            {"Range": "bytes=0-9"},
            EMPTY_SHA256,
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            id="an object",
        ),
        pytest.param(
            ("PUT", HOST, "/test%24file.text", ""),
            {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            hashlib.sha256(b"Welcome to Amazon S3.").hexdigest(),
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            id="a PUT",
        ),
        pytest.param(
            ("GET", HOST, "/", "lifecycle="),
            {},
            EMPTY_SHA256,
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            id="a bucket's lifecycle",
        ),
        pytest.param(
            ("GET", HOST, "/", "max-keys=2&prefix=J"),
            {},
            EMPTY_SHA256,
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            id="a listing",
        ),
    ],
)
def test_a_signature_is_the_one_that_aws_has_published(
    request_: tuple[str, str, str, str], fields: dict[str, str], payload: str, names: str, signature: str
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, its four examples."""
    signed = Signer(KEYS, "us-east-1").signed(request_, fields, payload, NOON_S)
    assert signed == {
        **fields,
        "X-Amz-Content-SHA256": payload,
        "X-Amz-Date": "20130524T000000Z",
        "Authorization": (
            f"AWS4-HMAC-SHA256 Credential={KEYS.access_key}/{SCOPE}, SignedHeaders={names}, Signature={signature}"
        ),
    }


def test_one_signer_signs_on_both_sides_of_midnight_as_new_ones_do() -> None:
    """It keeps the key of a day, and the text of a second."""
    kept = Signer(KEYS, "eu-west-1")
    request_ = ("PUT", HOST, "/a", "")
    for moment in (NOON_S - 0.5, NOON_S - 0.1, NOON_S, NOON_S + 0.9, NOON_S + 86400, NOON_S - 1):
        fresh = Signer(KEYS, "eu-west-1").signed(request_, {}, UNSIGNED, moment)
        assert kept.signed(request_, {}, UNSIGNED, moment) == fresh


def test_more_sets_of_names_than_are_remembered_are_signed_as_well() -> None:
    """A run with metadata of many names does not fill the memory."""
    kept = Signer(KEYS, "us-east-1")
    for number in range(600):
        fields = {f"x-amz-meta-{number}": "v"}
        assert kept.signed(("PUT", HOST, "/a", ""), fields, UNSIGNED, NOON_S) == Signer(KEYS, "us-east-1").signed(
            ("PUT", HOST, "/a", ""), fields, UNSIGNED, NOON_S
        )
    assert len(kept._orders) < 600


@pytest.mark.parametrize(
    ("value", "same"),
    [
        ("  a", "a"),
        ("a  \t", "a"),
        ("a   b    c", "a b c"),
        ("", "  "),
    ],
)
def test_spaces_at_the_ends_and_in_a_row_do_not_change_a_signature(value: str, same: str) -> None:
    """HTTP drops those at the ends, and S3 counts those in a row as one."""
    one, other = (
        Signer(KEYS, "us-east-1").signed(("PUT", HOST, "/a", ""), {"x-amz-meta-t": each}, UNSIGNED, NOON_S)
        for each in (value, same)
    )
    assert one["Authorization"] == other["Authorization"]


def test_neither_the_secret_nor_the_token_shows_in_a_repr_or_a_traceback() -> None:
    """Texts of errors end up in logs."""
    keys = Keys("AKIA", "the secret", "the token")
    signer = Signer(keys, "us-east-1")
    signed = signer.signed(("PUT", HOST, "/a", ""), {}, UNSIGNED, NOON_S)
    texts = [repr(keys), str(keys), repr(signer), signed["Authorization"], f"{keys}"]
    for wrong in ({"x": None}, {1: "x"}, {"x": "\ud800"}):
        try:
            signer.signed(("PUT", HOST, "/a", ""), wrong, UNSIGNED, NOON_S)  # type: ignore[arg-type]
        except (AttributeError, TypeError, UnicodeEncodeError):
            texts.append(traceback.format_exc())
    assert len(texts) == 8
    assert not any(secret in text for text in texts for secret in ("the secret", "the token"))
