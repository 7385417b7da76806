"""Who asks a store of Amazon's: profiles in files, the machine's own role, a container's; and which goes before which."""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rlm_hypervisor import InvalidTaskError, RLMClient

from tests.io._proxy import Proxy
from tests.io.conftest import Store
from tests.io.test_local import numbers

SOURCE = "s3://bucket/data/part-1.parquet"
ROWS = list(range(10, 20))
Signed = tuple[str, str, str | None]

CREDENTIALS = """
# Who may ask.
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key = default/secret+of=many

[ work ]
aws_access_key_id=AKIAWORKWORK
aws_secret_access_key=work-secret-work-secret
aws_session_token=work-token-work-token

[both]
aws_access_key_id = AKIABOTHBOTH
aws_secret_access_key = both-secret-both-secret
"""

CONFIG = """
[default]
region = eu-north-1
s3 =
    region = not-this-one
    addressing_style = path

[profile work]
region = eu-west-3 # Paris
endpoint_url = {endpoint}
aws_access_key_id = AKIAOFTHECONFIG

[profile only]
aws_access_key_id = AKIAONLYONLY
aws_secret_access_key = only-secret-only-secret
[profile both]
region = ap-south-1

[profile sso]
sso_session = corp
sso_account_id = 111122223333
[profile role]
role_arn = arn:aws:iam::111122223333:role/reader
source_profile = work
[profile run]
credential_process = /usr/bin/true
"""


@pytest.fixture
def proxy(s3: Store) -> Iterator[Proxy]:
    with Proxy(s3.endpoint) as proxy:
        yield proxy


@pytest.fixture
def home(proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's directory with both files, and none of the variables but where the store is."""
    for name in (
        "ACCESS_KEY_ID",
        "SECRET_ACCESS_KEY",
        "SESSION_TOKEN",
        "REGION",
        "DEFAULT_REGION",
        "PROFILE",
    ):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(CREDENTIALS)
    (tmp_path / ".aws/config").write_text(CONFIG.format(endpoint=proxy.endpoint))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
    return tmp_path


def signed(proxy: Proxy, **options: str) -> set[Signed]:
    """How requests are signed."""
    proxy.signed.clear()
    with RLMClient(threads=1, storage_options=options) as client:
        assert numbers(client, SOURCE) == ROWS
    return proxy.signed


WORK = ("AKIAWORKWORK", "eu-west-3", "work-token-work-token")


@pytest.mark.parametrize(
    ("variables", "options", "expected"),
    [
        ({}, {}, ("AKIADEFAULT", "eu-north-1", None)),
        ({"AWS_PROFILE": "work"}, {}, WORK),
        ({"AWS_PROFILE": ""}, {}, ("AKIADEFAULT", "eu-north-1", None)),
        ({}, {"aws_profile": "work"}, WORK),
        ({}, {"AWS_PROFILE": "work"}, WORK),
        ({}, {"profile": "both"}, ("AKIABOTHBOTH", "ap-south-1", None)),
        # Keys may stand in the other file; a region need not stand anywhere.
        ({"AWS_PROFILE": "only"}, {}, ("AKIAONLYONLY", "us-east-1", None)),
        # What an option names goes before what a variable names.
        ({"AWS_PROFILE": "only"}, {"aws_profile": "work"}, WORK),
        # Variables go before files, each for itself, but not before a profile that an option names.
        ({"AWS_REGION": "sa-east-1"}, {}, ("AKIADEFAULT", "sa-east-1", None)),
        ({"AWS_ACCESS_KEY_ID": "AKIAVAR", "AWS_SECRET_ACCESS_KEY": "v"}, {}, ("AKIAVAR", "eu-north-1", None)),
        (
            {"AWS_ACCESS_KEY_ID": "AKIAVAR", "AWS_SECRET_ACCESS_KEY": "v", "AWS_REGION": "sa-east-1"},
            {"aws_profile": "both"},
            ("AKIABOTHBOTH", "ap-south-1", None),
        ),
        # Options go before all.
        (
            {"AWS_PROFILE": "work"},
            {"aws_access_key_id": "AKIAOPTION", "aws_secret_access_key": "o", "aws_region": "us-west-1"},
            ("AKIAOPTION", "us-west-1", None),
        ),
        # Who has keys needs no profile, even of a way to keys that is not gone.
        (
            {"AWS_PROFILE": "sso", "AWS_ACCESS_KEY_ID": "AKIAVAR", "AWS_SECRET_ACCESS_KEY": "v"},
            {},
            ("AKIAVAR", "us-east-1", None),
        ),
        (
            {"AWS_PROFILE": "nobody", "AWS_ACCESS_KEY_ID": "AKIAVAR", "AWS_SECRET_ACCESS_KEY": "v"},
            {},
            ("AKIAVAR", "us-east-1", None),
        ),
    ],
)
def test_who_asks(
    home: Path,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    options: dict[str, str],
    expected: Signed,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert signed(proxy, **options) == {expected}


def test_a_profile_says_where_the_store_is(home: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert signed(proxy, aws_profile="work") == {WORK}
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert signed(proxy) == {WORK}


def test_files_elsewhere(home: Path, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keys").write_text(
        "[default]\r\naws_access_key_id = AKIAELSE\r\naws_secret_access_key = e\r\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    assert signed(proxy) == {("AKIAELSE", "eu-north-1", None)}
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert signed(proxy) == {("AKIAELSE", "us-east-1", None)}


def test_files_that_cannot_be_read_matter_to_who_asks_for_them(
    home: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".aws/credentials").unlink()
    (home / ".aws/credentials").mkdir()
    keys = {"aws_access_key_id": "AKIAOPTION", "aws_secret_access_key": "o"}
    assert signed(proxy, **keys) == {("AKIAOPTION", "us-east-1", None)}
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert signed(proxy, **keys) == {("AKIAOPTION", "us-east-1", None)}
    with (
        RLMClient(threads=1) as client,
        pytest.raises(InvalidTaskError, match=r"profiles of AWS in `.*/\.aws/credentials` cannot be read"),
    ):
        numbers(client, SOURCE)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "nobody",
            r"the profile `nobody` of AWS is neither in `.*/\.aws/credentials` nor in `.*/\.aws/config`",
        ),
        ("sso", r"the profile `sso` of AWS has no keys: it gets them by `sso_session`"),
        ("role", r"has no keys: it gets them by `role_arn`"),
        ("run", r"has no keys: it gets them by `credential_process`"),
    ],
)
@pytest.mark.parametrize("by", ["option", "variable"])
def test_refused_by_name(
    home: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, name: str, said: str, by: str
) -> None:
    if by == "variable":
        monkeypatch.setenv("AWS_PROFILE", name)
    options = {"aws_profile": name} if by == "option" else {}
    with (
        RLMClient(threads=1, storage_options=options) as client,
        pytest.raises(InvalidTaskError, match=said) as refused,
    ):
        numbers(client, SOURCE)
    assert refused.value.details["path"] == "storage_options.aws_profile"
    assert not proxy.seen


def test_a_token_of_other_keys_is_refused(home: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token-of-somebody-else")
    with (
        RLMClient(threads=1, storage_options={"aws_profile": "both"}) as client,
        pytest.raises(InvalidTaskError, match="AWS_SESSION_TOKEN belongs to other keys") as refused,
    ):
        numbers(client, SOURCE)
    assert "somebody-else" not in repr(refused.value)


def test_keys_of_a_profile_are_taken_out_of_texts(
    home: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RLMClient(threads=1, storage_options={"aws_profile": "work"}) as client:
        assert numbers(client, SOURCE) == ROWS
        task = {"type": "parallel", "input": {"items": [1], "operation": betrays}}
        with pytest.raises(Exception, match="it was") as told:
            client.execute(task)
    assert "work-secret" not in str(told.value) and "work-token" not in str(told.value)


def betrays(_: int) -> None:
    raise ValueError("it was work-secret-work-secret with work-token-work-token")


class _Machine(BaseHTTPRequestHandler):
    """What a machine of Amazon's is told of itself at an address that only it has, and a container at its own."""

    asked: list[tuple[str, str, str | None]]
    broken: bool

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""

    def _say(self, text: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self) -> None:
        self.asked.append(("PUT", self.path, self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")))
        self._say("metadata-token", 403 if self.broken else 200)

    def do_GET(self) -> None:
        token = self.headers.get("X-aws-ec2-metadata-token") or self.headers.get("Authorization")
        self.asked.append(("GET", self.path, token))
        until = dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)
        keys = {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "LastUpdated": "2026-01-01T00:00:00Z",
            "AccessKeyId": "AKIAMACHINE",
            "SecretAccessKey": "machine-secret",
            "Token": "machine-token",
            "Expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "RoleArn": "arn:aws:iam::111122223333:role/machine",
        }
        self._say("role" if self.path.endswith("/") else json.dumps(keys))


@pytest.fixture
def machine() -> Iterator[tuple[str, type[_Machine]]]:
    handler = type("Machine", (_Machine,), {"asked": [], "broken": False})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def nobody(home: Path) -> None:
    """No file says anything."""
    for name in ("credentials", "config"):
        (home / ".aws" / name).unlink()


def test_the_role_of_the_machine(
    nobody: None, proxy: Proxy, machine: tuple[str, type[_Machine]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, handler = machine
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", address)
    assert signed(proxy) == {("AKIAMACHINE", "us-east-1", "machine-token")}
    # Asked once for all requests, by way of a token of its own.
    assert [(method, bool(token)) for method, _, token in handler.asked] == [
        ("PUT", True),
        ("GET", True),
        ("GET", True),
    ]
    assert {token for method, _, token in handler.asked if method == "GET"} == {"metadata-token"}


def test_the_role_of_a_container(
    nobody: None,
    proxy: Proxy,
    machine: tuple[str, type[_Machine]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, handler = machine
    (tmp_path / "token").write_text("pod-token")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{address}/v1/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    assert signed(proxy) == {("AKIAMACHINE", "us-east-1", "machine-token")}
    assert {path for _, path, _ in handler.asked} == {"/v1/credentials"}
    assert {token for _, _, token in handler.asked} == {"pod-token"}


def test_a_file_goes_before_the_machine(
    home: Path, proxy: Proxy, machine: tuple[str, type[_Machine]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, handler = machine
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", address)
    assert signed(proxy) == {("AKIADEFAULT", "eu-north-1", None)}
    assert not handler.asked


def test_no_words_of_the_code_are_said(home: Path) -> None:
    """Keys in files are not shown by who reads them."""
    with RLMClient(threads=1, storage_options={"aws_profile": "work"}) as client:
        assert not re.search("work-secret|work-token", repr(client) + repr(vars(client)))
