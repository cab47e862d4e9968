"""Keys for S3, by the real botocore: files, profiles, programs; refreshed once; one sentence if there are none."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bulkput.errors import BulkputError, StoreGone, UsageError
from bulkput.options import WireOptions
from bulkput.stores.s3.credentials import Credentials, configured
from bulkput.stores.s3.settings import Settings
from bulkput.stores.s3.sign import Keys

Found = tuple[Settings, Credentials]
PAIR = {"AWS_ACCESS_KEY_ID": "AKIAVARIABLE", "AWS_SECRET_ACCESS_KEY": "geheim"}
OF_VARIABLES = Keys("AKIAVARIABLE", "geheim")


def in_time(call: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(call, 30))


class Home:
    """A directory with the files of the AWS command line, and the variables that name them."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def environ(self, **more: str) -> dict[str, str]:
        return {
            "AWS_CONFIG_FILE": str(self.place / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.place / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            **more,
        }

    def write(self, name: str, text: str) -> Path:
        (self.place / name).write_text(text)
        return self.place / name

    def found(self, **more: str) -> Found:
        found: Found = in_time(configured(self.environ(**more), WireOptions())).found
        return found

    def keys(self, **more: str) -> Keys | None:
        return self.found(**more)[1].keys

    def refusal(self, **more: str) -> BulkputError:
        with pytest.raises(BulkputError) as raised:
            self.found(**more)
        assert str(raised.value).isprintable()
        return raised.value

    def program(self, text: str) -> str:
        """A program of Python for credential_process; `say(SECONDS)` prints the n-th keys."""
        ran = self.place / "ran"
        path = self.write(
            "program.py",
            f"""
import datetime, json, pathlib, sys, time
ran = pathlib.Path({str(ran)!r})
number = len(ran.read_text()) + 1 if ran.exists() else 1
ran.write_text("." * number)
def say(seconds, key=None):
    keys = {{"Version": 1, "AccessKeyId": key or f"AKIA{{number}}", "SecretAccessKey": "geheim", "SessionToken": "t"}}
    if seconds is not None:
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
        keys["Expiration"] = end.isoformat()
    print(json.dumps(keys))
{text}
""",
        )
        return f"{sys.executable} {path}"

    @property
    def runs(self) -> int:
        """How often the program ran."""
        ran = self.place / "ran"
        return len(ran.read_text()) if ran.exists() else 0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_variables_alone_need_no_botocore(home: Home) -> None:
    """An import of it would take a third of a second."""
    program = (
        "import asyncio, sys; from bulkput.options import WireOptions;"
        "from bulkput.stores.s3.credentials import configured;"
        "asyncio.run(configured(eval(sys.argv[1]), WireOptions()));"
        "assert 'botocore' not in sys.modules and 'boto3' not in sys.modules"
    )
    for environ in (home.environ(**PAIR), home.environ(AWS_SKIP_SIGNATURE="true")):
        subprocess.run([sys.executable, "-c", program, repr(environ)], check=True)


@pytest.mark.parametrize("token", ["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"])
def test_a_pair_in_variables_is_taken_with_its_token(home: Home, token: str) -> None:
    """With files or without."""
    assert home.keys(**PAIR) == OF_VARIABLES
    assert home.keys(**PAIR, **{token: "t"}) == Keys("AKIAVARIABLE", "geheim", "t")
    home.write("config", "[default]\nregion = eu-west-1\n")
    assert home.keys(**PAIR, **{token: "t"}) == Keys("AKIAVARIABLE", "geheim", "t")


def test_keys_of_variables_are_stronger_than_a_profile_whose_place_counts(home: Home) -> None:
    """As botocore has it. The profile gives region, endpoint and addressing."""
    home.write(
        "config",
        "[profile work]\nregion = eu-west-1\nendpoint_url = http://localhost:9000\nca_bundle = /ca.pem\n"
        "s3 =\n  addressing_style = path\n",
    )
    home.write("credentials", "[work]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\n")
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        told = in_time(configured(home.environ(**PAIR, **{name: "work"}), WireOptions()))
        settings, credentials = told.found
        assert credentials.keys == OF_VARIABLES
        assert settings == Settings("eu-west-1", "http://localhost:9000", "path", ca_file="/ca.pem")
        assert told.wire.ca_file == "/ca.pem"
        assert home.keys(**{name: "work"}) == Keys("AKIAFILE", "s")


def test_a_region_in_the_file_of_credentials_counts(home: Home) -> None:
    """botocore reads both files as one."""
    home.write(
        "credentials", "[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\nregion = eu-west-3\n"
    )
    assert home.found(**PAIR)[0].region == "eu-west-3"
    assert home.keys() == Keys("AKIAFILE", "s")


def test_the_variables_are_those_of_the_caller_and_not_of_the_process(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program may have keys of several accounts."""
    home.write("config", "[default]\nregion = eu-west-1\n[profile other]\nregion = eu-west-2\n")
    home.write(
        "credentials",
        "[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\n"
        "[other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = s\n",
    )
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAPROCESS",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_PROFILE": "other",
        "AWS_DEFAULT_PROFILE": "other",
        "AWS_REGION": "ap-south-1",
        "AWS_ENDPOINT_URL": "http://localhost:1",
    }.items():
        monkeypatch.setenv(name, value)
    settings, credentials = home.found()
    assert (settings.region, settings.endpoint, credentials.keys) == ("eu-west-1", None, Keys("AKIAFILE", "s"))
    assert home.keys(**PAIR) == OF_VARIABLES


def test_a_role_with_the_keys_of_variables_takes_those_of_the_caller(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`credential_source = Environment`. The login fails at a closed port, and says which."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    home.write(
        "config",
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/x\ncredential_source = Environment\n"
        f"services = here\nregion = us-east-1\n[services here]\nsts =\n  endpoint_url = http://127.0.0.1:{port}\n",
    )
    error = home.refusal(AWS_PROFILE="role")
    assert isinstance(error, (StoreGone, UsageError))
    assert "Environment" in str(error) or "credentials" in str(error)


@pytest.mark.parametrize("word", ["true", "True", "1", "yes"])
def test_without_a_signature_no_keys_are_looked_for(home: Home, word: str) -> None:
    """Also beside keys in variables or files; the place still comes from files."""
    home.write("config", "[default]\nregion = eu-west-1\ncredential_process = /bin/false\n")
    settings, credentials = home.found(**PAIR, AWS_SKIP_SIGNATURE=word)
    assert (settings.region, credentials.keys) == ("eu-west-1", None)
    assert in_time(credentials.fresh()) is None


def test_nothing_that_gives_keys_is_a_sentence_that_says_what_to_set(home: Home) -> None:
    """No instance is asked if that is turned off."""
    begin = time.monotonic()
    error = home.refusal()
    assert isinstance(error, UsageError)
    assert str(error).startswith("no credentials for s3://: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_P")
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    ("config", "variables", "kind", "said"),
    [
        ("", {"AWS_ACCESS_KEY_ID": "AKIA"}, UsageError, "AWS_SECRET_ACCESS_KEY is not: set both, or neither"),
        ("", {"AWS_PROFILE": "wrok"}, UsageError, "s3://: The config profile (wrok) could not be found"),
        ("", {"AWS_PROFILE": "wrok", **PAIR}, UsageError, "The config profile (wrok) could not be found"),
        ("[default]\naws_access_key_id = AKIA\n", {}, UsageError, "Partial credentials found in config-file"),
        ("[default\nregion = x\n", {}, UsageError, "Unable to parse config file"),
        ("[default]\nservices = mine\n", PAIR, UsageError, "and there is no [services mine]"),
        ("[default]\nendpoint_url = localhost\n", PAIR, UsageError, "endpoint_url='localhost' is no address of an S3"),
        ("[default]\ncredential_process = /nonexistent\n", {}, StoreGone, "no credentials: [Errno "),
        ("[default]\ncredential_process = echo {}\n", {}, StoreGone, "Unsupported version '<Version key not pro"),
        ("[default]\ncredential_process = echo []\n", {}, StoreGone, "no credentials: "),
        ("[default]\ncredential_process = echo geheim\n", {}, StoreGone, "no credentials: Expecting value"),
        ("[default]\ncredential_process = sh -c 'echo who are you >&2; exit 3'\n", {}, StoreGone, "who are you"),
        ("[default]\ncredential_process = 'x\n", {}, StoreGone, "no credentials: No closing quotation"),
        (
            "[default]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n"
            "[sso-session s]\nsso_start_url = https://x.awsapps.com/start\nsso_region = us-east-1\n",
            {},
            StoreGone,
            "Error loading SSO Token: Token for s does not exist: run aws sso login",
        ),
        (
            "[default]\nsso_start_url = https://x.awsapps.com/start\nsso_region = us-east-1\n"
            "sso_account_id = 123456789012\nsso_role_name = r\n",
            {},
            StoreGone,
            "run aws sso login",
        ),
        (
            "[default]\nrole_arn = arn:aws:iam::123456789012:role/x\nweb_identity_token_file = /nonexistent\n"
            "region = us-east-1\n",
            {},
            StoreGone,
            "/nonexistent",
        ),
        (
            "[default]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = other\n",
            {},
            UsageError,
            'The source_profile "other" referenced in the profile',
        ),
    ],
)  # fmt: skip
def test_a_chain_that_gives_no_keys_says_why_in_one_sentence(
    home: Home,
    config: str,
    variables: dict[str, str],
    kind: type[BulkputError],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A mistake is a UsageError, a login that fails stops the run. Nothing that a program prints as keys is shown."""
    monkeypatch.setenv("HOME", str(home.place))
    if config:
        home.write("config", config)
    error = home.refusal(**variables)
    assert type(error) is kind
    assert said in str(error)
    assert "geheim" not in str(error)


def test_a_pod_whose_login_is_refused_gets_one_sentence(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Web identity by variables, as in Kubernetes, with a service of tokens that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for name, value in {
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/x",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(home.write("token", "a token")),
        "AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{port}",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    error = home.refusal(AWS_REGION="us-east-1")
    assert isinstance(error, StoreGone)
    assert f'Could not connect to the endpoint URL: "http://127.0.0.1:{port}/"' in str(error)


def process(home: Home, text: str) -> Credentials:
    home.write("config", f"[default]\ncredential_process = {home.program(text)}\n")
    return home.found()[1]


async def taken_by_64(credentials: Credentials) -> set[str]:
    keys = await asyncio.gather(*[credentials.fresh() for _ in range(64)])
    return {each.access_key for each in keys if each is not None}


def hour_but(credentials: Credentials, seconds: int) -> None:
    """Lets botocore's clock be so much less than an hour ahead: so long hold keys that hold for an hour."""
    credentials._found._time_fetcher = lambda: datetime.now(UTC) + timedelta(hours=1, seconds=-seconds)


def test_keys_that_expire_soon_are_refreshed_once_for_64_workers(home: Home) -> None:
    """Before they expire, and while they are used on."""
    credentials = process(home, "say(3600 if number == 1 else 36000)")
    assert in_time(taken_by_64(credentials)) == {"AKIA1"}
    assert home.runs == 1
    hour_but(credentials, 300)
    credentials._look_at_s = 0
    assert in_time(taken_by_64(credentials)) == {"AKIA1", "AKIA2"}
    assert in_time(taken_by_64(credentials)) == {"AKIA2"}
    assert home.runs == 2


def test_workers_wait_for_new_keys_once_theirs_have_expired(home: Home) -> None:
    """Such as after a machine's sleep."""
    credentials = process(home, "say(3600 if number == 1 else 36000)")
    hour_but(credentials, -60)
    assert in_time(taken_by_64(credentials)) == {"AKIA2"}
    assert home.runs == 2


def test_keys_that_hold_and_cannot_be_refreshed_are_used_on(home: Home) -> None:
    """Until they expire the run goes on, and asks again half a minute later."""
    credentials = process(home, "say(3600) if number == 1 else sys.exit('no network')")
    hour_but(credentials, 300)
    for _ in range(3):
        assert in_time(taken_by_64(credentials)) == {"AKIA1"}
    assert home.runs == 2


def test_keys_that_have_expired_and_cannot_be_refreshed_stop_the_run(home: Home) -> None:
    """Each worker is told the reason."""
    credentials = process(home, "say(3600) if number == 1 else sys.exit('no network')")
    hour_but(credentials, -1)

    async def taken() -> list[Any]:
        return await asyncio.gather(*[credentials.fresh() for _ in range(3)], return_exceptions=True)

    told = in_time(taken())
    assert len(told) == 3
    assert all(isinstance(each, StoreGone) and "no network" in str(each) for each in told)


def test_a_program_that_gives_expired_keys_is_a_sentence(home: Home) -> None:
    """botocore raises a RuntimeError."""
    credentials = process(home, "say(3600)")
    hour_but(credentials, -60)
    with pytest.raises(StoreGone, match="refreshed credentials are still expired"):
        in_time(credentials.fresh())


def test_keys_that_do_not_expire_are_asked_for_once(home: Home) -> None:
    """A program need not say when."""
    credentials = process(home, "say(None)")
    assert in_time(taken_by_64(credentials)) == {"AKIA1"}
    assert home.runs == 1


def test_keys_that_the_store_refuses_are_renewed_once_for_all_workers(home: Home) -> None:
    """The chain is asked again; all get the new keys."""
    credentials = process(home, "say(3600)")
    refused = credentials.keys
    assert refused is not None

    async def renewed() -> list[Keys | None]:
        return await asyncio.gather(*[credentials.renewed(refused) for _ in range(64)])

    assert in_time(renewed()) == [Keys("AKIA2", "geheim", "t")] * 64
    assert home.runs == 2
    assert in_time(credentials.fresh()) == Keys("AKIA2", "geheim", "t")


def test_refused_keys_of_a_file_that_has_no_others_are_asked_for_once_in_a_while(home: Home) -> None:
    """Then the store's refusal is the error."""
    credentials = process(home, "say(3600, 'AKIASAME')")
    refused = credentials.keys
    assert refused is not None

    async def renewed() -> list[Keys | None]:
        return await asyncio.gather(*[credentials.renewed(refused) for _ in range(64)])

    assert set(in_time(renewed())) == {None}
    assert home.runs == 2


def test_keys_of_a_file_that_was_rewritten_are_found(home: Home) -> None:
    """Some tools write new keys into the file of credentials."""
    home.write("credentials", "[default]\naws_access_key_id = AKIAOLD\naws_secret_access_key = s\n")
    credentials = home.found()[1]
    home.write("credentials", "[default]\naws_access_key_id = AKIANEW\naws_secret_access_key = s\n")
    assert in_time(credentials.renewed(Keys("AKIAOLD", "s"))) == Keys("AKIANEW", "s")


def test_refused_keys_of_variables_have_no_others(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither those of a file nor those of the process: that would be somebody else."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAPROCESS")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    credentials = home.found(**PAIR)[1]
    home.write("credentials", "[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\n")
    assert in_time(credentials.renewed(OF_VARIABLES)) is None
    assert credentials.keys == OF_VARIABLES


def test_where_botocore_is_missing_the_sentence_names_variables_and_the_extra(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only files need it. Its name says nothing to those who never asked for it."""
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    assert home.keys(**PAIR) == OF_VARIABLES
    for variables in ({}, {"AWS_PROFILE": "work"}):
        error = home.refusal(**variables)
        assert isinstance(error, UsageError)
        assert str(error) == (
            "no credentials for s3://: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true for"
            " public buckets; AWS_PROFILE, the files of ~/.aws and roles need pip install 'bulkput[s3]'"
        )


def test_where_botocore_is_missing_files_beside_keys_are_not_passed_over(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may name another server than Amazon's."""
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    home.write("config", "[default]\nendpoint_url = https://s3.example\n")
    for variables in (PAIR, {"AWS_SKIP_SIGNATURE": "true"}):
        error = home.refusal(**variables)
        assert isinstance(error, UsageError)
        assert str(error) == (
            "s3://: AWS_PROFILE and the files of ~/.aws may name the region and the server, and to read them needs pip"
            " install 'bulkput[s3]'"
        )


def test_keys_never_show(home: Home) -> None:
    """In the repr of what a run has."""
    told = in_time(configured(home.environ(**PAIR, AWS_SESSION_TOKEN="t0ken"), WireOptions()))
    text = f"{told!r} {told.found!r} {told.found[1].keys!r} {json.dumps(str(told))}"
    assert "geheim" not in text
    assert "t0ken" not in text
