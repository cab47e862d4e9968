"""Where S3 is: the tables of settings.py, with botocore's own client as the judge."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.stores.s3.settings import FIRST_REGION, Settings, is_directory_bucket, settings_of

Variables = dict[str, str]
AT_9000 = "http://127.0.0.1:9000"


@cache
def loader() -> Any:
    """botocore's models, which take it half a second to read."""
    return botocore.session.Session().get_component("data_loader")


def of_botocore(
    buckets: Iterable[str], variables: Variables, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """The URLs that botocore sends a HEAD of each bucket to."""
    (tmp_path / "config").write_text(file)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name, value in variables.items():
        monkeypatch.setenv("AWS_DEFAULT_REGION" if name == "AWS_REGION" else name, value)
    session = botocore.session.Session()
    session.register_component("data_loader", loader())
    if session.get_config_variable("region") is None:
        session.set_config_variable("region", "us-east-1")
    # Its own default for us-east-1 is the name of the time before there were regions.
    config = Config(signature_version=UNSIGNED, s3={"us_east_1_regional_endpoint": "regional"})
    client = session.create_client("s3", config=config)
    sent = []

    def stop(request: Any, **_: Any) -> Any:
        sent.append(str(request.url).rstrip("/"))
        raise InterruptedError

    client.meta.events.register("before-send.s3", stop)
    for bucket in buckets:
        with pytest.raises(InterruptedError):
            client.head_bucket(Bucket=bucket)
    return sent


def of_ours(buckets: Iterable[str], variables: Variables, file: str, tmp_path: Path) -> list[str]:
    """The URLs that we send it to, by the same file."""
    (tmp_path / "config").write_text(file)
    session = botocore.session.Session(session_vars={"config_file": (None, None, str(tmp_path / "config"), None)})
    profile = session.get_scoped_config()
    services = session.full_config.get("services", {}).get(profile.get("services"), {})
    settings = settings_of(variables, profile, services)
    return [settings.place_of(bucket, settings.region).url for bucket in buckets]


VIRTUAL = "[default]\ns3 =\n  addressing_style = virtual\n"
PATH = "[default]\ns3 =\n  addressing_style = path\n"


@pytest.mark.parametrize("file", ["", VIRTUAL, PATH], ids=["auto", "virtual", "path"])
@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"AWS_REGION": "us-east-1"},
        {"AWS_REGION": "eu-west-3"},
        {"AWS_REGION": "cn-north-1"},
        {"AWS_REGION": "us-gov-west-1"},
        {"AWS_REGION": "us-iso-east-1"},
        {"AWS_REGION": "us-isob-east-1"},
        {"AWS_REGION": "us-isof-south-1"},
        {"AWS_REGION": "eu-isoe-west-1"},
        {"AWS_REGION": "eusc-de-east-1"},
        {"AWS_REGION": "eu-west-3", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_REGION": "us-west-2", "AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_REGION": "us-west-2", "AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_REGION": "cn-north-1", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_ENDPOINT_URL": "http://localhost:9000/"},
        {"AWS_ENDPOINT_URL": "http://minio.example.org"},
        {"AWS_ENDPOINT_URL": "https://minio.example.org"},
        {"AWS_ENDPOINT_URL": "https://minio.example.org:8443/a/path"},
        {"AWS_ENDPOINT_URL": "https://[::1]:8443"},
        {"AWS_ENDPOINT_URL": AT_9000, "AWS_ENDPOINT_URL_S3": "http://s3.example.org:81"},
        {"AWS_ENDPOINT_URL": AT_9000, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
    ],
    ids=lambda variables: "&".join(f"{name[4:]}={value}" for name, value in variables.items()),
)
def test_a_bucket_is_where_botocore_looks_for_it(
    file: str, variables: Variables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By variables and addressing styles."""
    buckets = ("bucket", "my.bucket", "UPPER", "with_underscore", "b" * 63)
    judged = of_botocore(buckets, variables, file, tmp_path, monkeypatch)
    assert of_ours(buckets, variables, file, tmp_path) == judged


@pytest.mark.parametrize(
    ("file", "variables"),
    [
        ("[default]\nregion = eu-north-1\n", {}),
        ("[default]\nregion = eu-north-1\n", {"AWS_REGION": "eu-west-1"}),
        ("[default]\nendpoint_url = http://localhost:9000\n", {}),
        ("[default]\nendpoint_url = http://localhost:9000\n", {"AWS_ENDPOINT_URL": "http://localhost:81"}),
        ("[default]\nendpoint_url = http://localhost:9000\nignore_configured_endpoint_urls = true\n", {}),
        ("[default]\nservices = mine\n[services mine]\ns3 =\n  endpoint_url = http://localhost:82\n", {}),
        (
            "[default]\nservices = mine\nendpoint_url = http://localhost:81\n"
            "[services mine]\ns3 =\n  endpoint_url = http://localhost:82\n",
            {},
        ),
        ("[default]\nservices = mine\n[services mine]\nsqs =\n  endpoint_url = http://localhost:82\n", {}),
        (
            "[default]\nservices = mine\n[services mine]\ns3 =\n  endpoint_url = http://localhost:82\n",
            {"AWS_ENDPOINT_URL": "http://localhost:83"},
        ),
        ("[default]\nuse_dualstack_endpoint = true\nregion = eu-north-1\n", {}),
        ("[default]\ns3 =\n  use_dualstack_endpoint = true\nregion = eu-north-1\n", {}),
        ("[default]\nuse_fips_endpoint = true\nregion = us-east-2\n", {}),
        ("[default]\nregion = us-west-2\n", {"AWS_USE_FIPS_ENDPOINT": "false"}),
        ("[default]\nuse_fips_endpoint = true\nregion = us-west-2\n", {"AWS_USE_FIPS_ENDPOINT": "false"}),
    ],
)
def test_the_configuration_file_means_what_it_means_to_botocore(
    file: str, variables: Variables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sections of services, regions, endpoints, and what variables override."""
    judged = of_botocore(["bucket"], variables, file, tmp_path, monkeypatch)
    assert of_ours(["bucket"], variables, file, tmp_path) == judged


@pytest.mark.parametrize(
    ("variables", "file", "bucket", "ours", "botocores"),
    [
        # A default port is left out, as in the field Host.
        (
            {"AWS_ENDPOINT_URL": "http://localhost:80"},
            "",
            "bucket",
            "http://localhost/bucket",
            "http://localhost:80/bucket",
        ),
        # No name is below an address; botocore knows that for names without dots.
        (
            {"AWS_ENDPOINT_URL": AT_9000},
            VIRTUAL,
            "my.bucket",
            f"{AT_9000}/my.bucket",
            "http://my.bucket.127.0.0.1:9000",
        ),
        ({"AWS_ENDPOINT_URL": AT_9000}, VIRTUAL, "bucket", f"{AT_9000}/bucket", f"{AT_9000}/bucket"),
    ],
)
def test_where_botocores_url_is_another_ours_is_of_the_same_place(
    variables: Variables,
    file: str,
    bucket: str,
    ours: str,
    botocores: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All differences that are known."""
    assert of_ours([bucket], variables, file, tmp_path) == [ours]
    assert of_botocore([bucket], variables, file, tmp_path, monkeypatch) == [botocores]


def test_a_directory_bucket_is_in_its_zone_and_signed_for_it() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-express-Regions-and-Zones.html"""
    place = Settings("us-west-2").place_of("b--usw2-az1--x-s3", "us-west-2")
    assert place.url == "https://b--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com"
    assert (place.service, place.is_tls) == ("s3express", True)
    assert Settings("us-west-2").place_of("bucket", "us-west-2").service == "s3"


@pytest.mark.parametrize(
    ("bucket", "is_one"),
    [
        ("b--usw2-az1--x-s3", True),
        ("bucket", False),
        ("b-x-s3", False),
        ("b--x-s3", False),
        ("--usw2-az1--x-s3", False),
    ],
)
def test_a_directory_bucket_is_known_by_its_name(bucket: str, *, is_one: bool) -> None:
    """Amazon lets no other bucket end so."""
    assert is_directory_bucket(bucket) is is_one


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({}, FIRST_REGION),
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_DEFAULT_REGION": "eu-west-2", "AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2", "AWS_REGION": ""}, "eu-west-2"),
        ({"AWS_REGION": "", "AWS_ENDPOINT_URL": "http://localhost:9000"}, FIRST_REGION),
        ({"AWS_REGION": "RegionOne", "AWS_ENDPOINT_URL": "http://localhost:9000"}, "RegionOne"),
    ],
)
def test_the_region_is_that_of_either_variable(variables: Variables, region: str) -> None:
    """The AWS command line knows both names, and prefers AWS_REGION; botocore by itself knows one."""
    assert settings_of(variables, {}, {}).region == region


@pytest.mark.parametrize(
    ("variables", "profile", "said"),
    [
        ({"AWS_REGION": "us east"}, {}, "AWS_REGION='us east' is no region: letters, digits and hyphens"),
        ({"AWS_DEFAULT_REGION": "-a"}, {}, "AWS_DEFAULT_REGION='-a' is no region"),
        ({"AWS_REGION": "eu.west/1"}, {}, "is no region"),
        ({"AWS_REGION": "12"}, {}, "is no region"),
        ({}, {"region": "eu_west"}, "the profile's region='eu_west' is no region"),
        ({"AWS_REGION": "us east", "AWS_ENDPOINT_URL": "http://localhost:9000"}, {}, "is no region"),
        ({"AWS_REGION": ""}, {}, "AWS_REGION is set and empty: name the bucket's region, or unset it"),
        ({"AWS_DEFAULT_REGION": ""}, {}, "AWS_DEFAULT_REGION is set and empty"),
    ],
)
def test_what_is_no_region_is_refused(variables: Variables, profile: Variables, said: str) -> None:
    """botocore refuses the same words; an empty variable would have a bucket made in another region."""
    with pytest.raises(UsageError, match=re.escape(said)):
        settings_of(variables, profile, {})


@pytest.mark.parametrize(
    "url",
    [
        "localhost:9000", "ftp://x", "http://", "https://h?x=1", "https://h/#f", "https://u:geheim@h", "http://h:x/",
        "http://h:99999", "http:///path", "http://a b/", "http://h\n/", "http://[::1", "//h", "s3://bucket",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_a_wrong_endpoint_is_a_sentence_that_names_the_variable(name: str, url: str) -> None:
    """And shows no password."""
    with pytest.raises(UsageError, match=r"write http\(s\)://HOST\[:PORT\]") as raised:
        settings_of({name: url}, {}, {})
    assert str(raised.value).startswith(f"{name} is ") or str(raised.value).startswith(f"{name}=")
    assert "geheim" not in str(raised.value)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("profile", "services"),
    [({"s3": "addressing_style"}, {}), ({"s3": None}, {"s3": "x"}), ({"region": ""}, {}), ({"endpoint_url": ""}, {})],
)
def test_a_file_with_other_things_in_it_gives_what_variables_give(
    profile: dict[str, Any], services: dict[str, Any]
) -> None:
    """Such as a section that is a text."""
    assert settings_of({}, profile, services) == settings_of({}, {}, {})


@pytest.mark.parametrize("style", ["virtaul", "Path", "host"])
def test_a_wrong_addressing_style_is_a_sentence(style: str) -> None:
    """botocore refuses it as well."""
    with pytest.raises(UsageError, match=r"addressing_style = .* one of auto, path, virtual"):
        settings_of({}, {"s3": {"addressing_style": style}}, {})


def test_certificates_are_those_of_the_variable_or_of_the_profile() -> None:
    """The variable is stronger."""
    assert settings_of({}, {"ca_bundle": "/file"}, {}).ca_file == "/file"
    assert settings_of({"AWS_CA_BUNDLE": "/variable"}, {"ca_bundle": "/file"}, {}).ca_file == "/variable"


@pytest.mark.parametrize(
    ("settings", "account"),
    [
        (Settings("eu-west-1"), "amazonaws.com"),
        (Settings("us-gov-west-1"), "amazonaws.com"),
        (Settings("cn-north-1"), "amazonaws.com.cn"),
        (Settings("x", endpoint=AT_9000), AT_9000),
    ],
)
def test_names_of_buckets_belong_to_a_server_or_a_part_of_aws(settings: Settings, account: str) -> None:
    """Regions of one part share them."""
    assert settings.account == account


@given(
    st.text(st.characters(codec="ascii", exclude_characters="\x7f", min_codepoint=33), min_size=3, max_size=63),
    st.sampled_from(["auto", "path", "virtual"]),
    st.sampled_from([None, AT_9000, "https://h.example.org/p"]),
)
def test_no_name_of_a_bucket_leaves_its_place(bucket: str, style: str, endpoint: str | None) -> None:
    """Whatever is in it, the host is Amazon's or that of the endpoint, and the path has one segment for it."""
    place = Settings("eu-west-1", endpoint=endpoint, style=style).place_of(bucket, "eu-west-1")
    host = "s3.eu-west-1.amazonaws.com" if endpoint is None else endpoint.partition("://")[2].partition("/")[0]
    if is_directory_bucket(bucket) and endpoint is None:
        assert place.host.endswith(".eu-west-1.amazonaws.com")
    else:
        assert place.host in (host, f"{bucket}.{host}")
    assert "/" not in place.host
    assert "?" not in place.url
    assert "#" not in place.url
