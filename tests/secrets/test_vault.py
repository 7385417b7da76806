"""Vault: the key-value engine of a real server, the ways to log in, and servers that are not well."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rlm_hypervisor import (
    InvalidTaskError,
    OutputFailedError,
    RLMClient,
    RLMError,
    Secret,
    SourceUnreadableError,
)
from rlm_hypervisor.secrets import AppRole, Kubernetes, Vault

from tests.secrets._planted import said
from tests.secrets.conftest import ROOT_TOKEN, Bao


@contextmanager
def opened(bao: Bao, auth: Any = ROOT_TOKEN, ttl: int = 0, **more: Any) -> Iterator[RLMClient]:
    vault = Vault(bao.address, auth, ca_file=bao.ca_file, **more)
    assert ROOT_TOKEN not in repr(vault)
    with RLMClient(threads=1, secrets=[vault], secrets_ttl=ttl) as client:
        yield client


def test_values_by_path_and_field(bao: Bao) -> None:
    bao.put("app/db", password="of the database", user="reader-of-the-db")
    bao.put("app/token", value="the-only-field-of-it")
    bao.put("app/both", value="vault-of-value", other="vault-of-other")
    bao.put("app/number", pin=987654)
    with opened(bao) as client:
        get = client.secrets.get
        assert get("app/db#password").reveal() == "of the database"
        assert get("app/token").reveal() == "the-only-field-of-it"
        assert get("app/both").reveal() == "vault-of-value"
        assert get("app/both#other").reveal() == "vault-of-other"
        assert get("app/number").reveal() == "987654"
        assert {"app/both", "app/db", "app/number", "app/token"} <= set(client.secrets.names())
        with pytest.raises(InvalidTaskError, match=r"`app/db#nope` has no field `nope`.*password, user"):
            get("app/db#nope")
        with pytest.raises(InvalidTaskError, match=r"`app/db` needs a field"):
            get("app/db")
        for name in ("app/none#x", "../app/db#password", "app", "app/../../sys/x"):
            with pytest.raises(InvalidTaskError, match="no secret"):
                get(name)
        bao.api("DELETE", "secret/data/app/token")
        with pytest.raises(InvalidTaskError, match="no secret `app/token`"):
            get("app/token")
    with opened(bao, prefix="app") as client:
        assert client.secrets.get("db#user").reveal() == "reader-of-the-db"
        assert "db" in client.secrets.names()


def test_values_are_written_beside_the_other_fields(bao: Bao) -> None:
    bao.put("written/db", password="the first one", user="writer-of-the-db")
    with opened(bao) as client:
        client.secrets.set("written/db#password", "the second one")
        assert client.secrets.get("written/db#password").reveal() == "the second one"
        assert client.secrets.get("written/db#user").reveal() == "writer-of-the-db"
        client.secrets.set("written/new", Secret("a-new-one-of-vault"))
        assert client.secrets.get("written/new#value").reveal() == "a-new-one-of-vault"


def test_rotation_is_seen_after_the_time_to_live_or_on_request(bao: Bao) -> None:
    bao.put("rotated", value="the first value")
    with opened(bao, ttl=3_600) as client:
        assert client.secrets.get("rotated").reveal() == "the first value"
        bao.put("rotated", value="the second value")
        assert client.secrets.get("rotated").reveal() == "the first value"
        client.secrets.refresh("rotated")
        assert client.secrets.get("rotated").reveal() == "the second value"


def test_namespaces_and_mounts(bao: Bao) -> None:
    bao.api("POST", "sys/namespaces/team")
    bao.api("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}}, "team")
    bao.put("db", "team", "kv", password="of the team")
    with opened(bao, namespace="team", mount="kv") as client:
        assert client.secrets.get("db").reveal() == "of the team"
    bao.api("POST", "sys/mounts/old", {"type": "kv", "options": {"version": "1"}})
    bao.api("POST", "old/data/db", {"password": "of version one"})
    with opened(bao, mount="old") as client:
        with pytest.raises(SourceUnreadableError, match="version 2"):
            client.secrets.get("db")


POLICY = 'path "secret/data/app/*" { capabilities = ["read"] }'


@pytest.fixture(scope="module")
def role(bao: Bao) -> AppRole:
    """An application that may read below `app/`, with tokens that no test outlives."""
    bao.api("POST", "sys/auth/approle", {"type": "approle"})
    bao.api("POST", "sys/policies/acl/app", {"policy": POLICY})
    bao.api("POST", "auth/approle/role/app", {"token_policies": "app", "token_ttl": "1h"})
    role_id = bao.api("GET", "auth/approle/role/app/role-id")["data"]["role_id"]
    secret_id = bao.api("POST", "auth/approle/role/app/secret-id", {})["data"]["secret_id"]
    return AppRole(role_id, secret_id)


def test_an_application_logs_in_and_again_when_its_tokens_are_gone(bao: Bao, role: AppRole) -> None:
    bao.put("app/renewed", value="behind a login")
    bao.put("other/renewed", value="not for this one")
    assert str(role.secret_id) not in repr(role)
    with opened(bao, role) as client:
        assert client.secrets.get("app/renewed").reveal() == "behind a login"
        # All tokens of the role are gone: another login follows.
        for accessor in bao.api("LIST", "auth/token/accessors")["data"]["keys"]:
            token = bao.api("POST", "auth/token/lookup-accessor", {"accessor": accessor})["data"]
            if token["path"] == "auth/approle/login":
                bao.api("POST", "auth/token/revoke-accessor", {"accessor": accessor})
        assert client.secrets.get("app/renewed").reveal() == "behind a login"
        with pytest.raises(SourceUnreadableError, match=r"`other/renewed`.*403.*policy") as caught:
            client.secrets.get("other/renewed")
        assert str(role.secret_id) not in "".join(map(str, said(caught.value)))
        # Listing is not allowed to it.
        assert client.secrets.names() == []
        with pytest.raises(OutputFailedError, match="policy"):
            client.secrets.set("app/renewed", "never-kept-in-vault")
    with opened(bao, AppRole(role.role_id, "no-such-secret-id")) as client:
        with pytest.raises(SourceUnreadableError, match=r"`app/renewed`.*(invalid|400)") as caught:
            client.secrets.get("app/renewed")
        assert "no-such-secret-id" not in "".join(map(str, said(caught.value)))


@pytest.mark.parametrize("renewable", [True, False])
def test_a_token_is_renewed_before_it_ends_or_replaced(renewable: bool) -> None:
    asked: list[str] = []

    def answer(path: str, body: Any) -> tuple[int, Any]:
        asked.append(path)
        lease = {"client_token": f"token-number-{len(asked)}", "renewable": True}
        if path.endswith("/login"):
            # The first one lasts for six seconds, of which the last two are for its renewal; another one for an hour.
            logins = sum(one.endswith("/login") for one in asked)
            return 200, {"auth": {**lease, "lease_duration": 6 if logins == 1 else 3_600}}
        if path.endswith("/renew-self"):
            return (200, {"auth": {**lease, "lease_duration": 3_600}}) if renewable else (403, {})
        return 200, GOOD

    with serving(answer) as address:
        vault = Vault(address, AppRole("a-role-of-tests", "a-secret-id-of-tests"))
        with RLMClient(threads=1, secrets=[vault], secrets_ttl=0) as client:
            end = time.monotonic() + 60
            while "/v1/auth/token/renew-self" not in asked and time.monotonic() < end:
                assert client.secrets.get("db").reveal() == "a good value"
            assert client.secrets.get("db").reveal() == "a good value"
    assert asked.count("/v1/auth/token/renew-self") == 1
    assert asked.count("/v1/auth/approle/login") == (1 if renewable else 2)


def service_account_token() -> str:
    """As Kubernetes gives them to pods; nobody checks the signature here but the server that is asked to."""
    account = "kubernetes.io/serviceaccount"
    claims = {
        "iss": "kubernetes/serviceaccount",
        "sub": "system:serviceaccount:jobs:runner",
        f"{account}/namespace": "jobs",
        f"{account}/service-account.name": "runner",
        f"{account}/service-account.uid": "17",
    }
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, b"s" * 256))


def test_a_pod_logs_in(bao: Bao, tmp_path: Path) -> None:
    token = tmp_path / "token"
    jwt = service_account_token()
    token.write_text(jwt + "\n")

    def review(path: str, body: Any) -> tuple[int, Any]:
        known = body["spec"]["token"] == jwt
        user = {"username": "system:serviceaccount:jobs:runner", "uid": "17"}
        return 201, {"status": {"authenticated": known, "user": user} if known else {"error": "no"}}

    with serving(review) as address:
        bao.api("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
        config = {
            "kubernetes_host": address,
            "disable_local_ca_jwt": True,
            "token_reviewer_jwt": "reviewer",
            "kubernetes_ca_cert": bao.ca_file.read_text(),
        }
        bao.api("POST", "auth/kubernetes/config", config)
        bao.api("POST", "sys/policies/acl/app", {"policy": POLICY})
        bound = {"bound_service_account_names": "runner", "bound_service_account_namespaces": "jobs"}
        bao.api("POST", "auth/kubernetes/role/job", {**bound, "token_policies": "app"})
        bao.put("app/pod", value="for a pod")
        with opened(bao, Kubernetes("job", token_file=token)) as client:
            assert client.secrets.get("app/pod").reveal() == "for a pod"
        with opened(bao, Kubernetes("job", token_file=tmp_path / "none")) as client:
            with pytest.raises(SourceUnreadableError, match="token of the service account"):
                client.secrets.get("app/pod")


def test_what_the_environment_says(bao: Bao, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bao.put("app/env", value="by the environment")
    for name in ("VAULT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_CACERT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(InvalidTaskError, match="VAULT_ADDR"):
        RLMClient(threads=1, secrets=[Vault()])
    monkeypatch.setenv("VAULT_ADDR", bao.address)
    monkeypatch.setenv("VAULT_CACERT", str(bao.ca_file))
    with pytest.raises(InvalidTaskError, match="VAULT_TOKEN"):
        RLMClient(threads=1, secrets=[Vault()])
    (tmp_path / ".vault-token").write_text(ROOT_TOKEN + "\n")
    with RLMClient(threads=1, secrets=[Vault()]) as client:
        assert client.secrets.get("app/env").reveal() == "by the environment"
    monkeypatch.setenv("VAULT_TOKEN", "not a token that holds")
    with RLMClient(threads=1, secrets=[Vault()]) as client:
        with pytest.raises(SourceUnreadableError, match="403"):
            client.secrets.get("app/env")


def test_a_certificate_that_nobody_knows_is_not_accepted(bao: Bao, tmp_path: Path) -> None:
    with RLMClient(threads=1, secrets=[Vault(bao.address, ROOT_TOKEN)]) as client:
        with pytest.raises(SourceUnreadableError, match=r"certificate.*ca_file"):
            client.secrets.get("app/db#password")
    (tmp_path / "empty.pem").write_text("none")
    for ca_file in (tmp_path / "empty.pem", tmp_path / "none.pem"):
        with pytest.raises(InvalidTaskError, match="ca_file"):
            RLMClient(threads=1, secrets=[Vault(bao.address, ROOT_TOKEN, ca_file=ca_file)])
    with pytest.raises(InvalidTaskError, match="plain http"):
        RLMClient(threads=1, secrets=[Vault("http://vault.example.com:8200", ROOT_TOKEN)])


# Servers that are not well.
Answer = Callable[[str, Any], tuple[int, Any]]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """A server that answers each request as it is told; an answer of bytes is sent as it stands."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, data = answer(self.path, json.loads(body) if body else None)
            if status == 0:
                self.connection.close()
                return
            text = data if isinstance(data, bytes) else json.dumps(data).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            try:
                self.wfile.write(text)
            except OSError:
                self.close_connection = True

        do_GET = do_POST = respond

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


GOOD = {"data": {"data": {"value": "a good value"}, "metadata": {"version": 1}}}
TOKEN = "token-of-a-broken-server"


def asked(answer: Answer) -> RLMError | Secret:
    with serving(answer) as address:
        with RLMClient(threads=1, secrets=[Vault(address, TOKEN)]) as client:
            try:
                return client.secrets.get("db")
            except RLMError as error:
                return error


@pytest.mark.parametrize("status", [429, 500, 503, 0])
def test_a_server_that_is_busy_for_a_moment_is_asked_again(status: int) -> None:
    answers = iter([(status, {}), (status, {}), (200, GOOD)])
    found = asked(lambda path, _: next(answers) if "/data/" in path else (200, {}))
    assert isinstance(found, Secret)
    assert found.reveal() == "a good value"


BROKEN: dict[str, tuple[int, Any, str]] = {
    "sealed": (503, {"errors": ["Vault is sealed"]}, "sealed"),
    "forbidden": (403, {"errors": [f"permission denied for {TOKEN}"]}, "policy"),
    "elsewhere": (307, {}, "elsewhere"),
    "no json": (200, b"<html>" + TOKEN.encode(), "version 2"),
    "no data": (200, {"data": {}}, "version 2"),
    "a list": (200, {"data": {"data": [1], "metadata": {}}}, "version 2"),
    "too large": (200, b"x" * 6_000_000, "too large"),
    "gone": (0, b"", "address"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_server_that_is_broken_is_named_and_the_token_is_not(kind: str) -> None:
    status, data, word = BROKEN[kind]
    error = asked(lambda path, _: (status, data) if "/data/" in path else (200, {}))
    assert isinstance(error, SourceUnreadableError), error
    assert word in str(error)
    assert "`db` from Vault at http://127.0.0.1" in str(error)
    assert TOKEN not in "".join(map(str, said(error)))


def test_a_value_that_is_null_is_none() -> None:
    null = {"data": {"data": {"value": None}, "metadata": {"version": 1}}}
    assert isinstance(asked(lambda path, _: (200, null)), InvalidTaskError)
