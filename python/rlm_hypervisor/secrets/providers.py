"""Providers that the core asks itself: the environment, files, Vault."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Protocol

from rlm_hypervisor._core import Secret
from rlm_hypervisor.errors import InvalidTaskError


class Provider(Protocol):
    """Anything that has secrets: an object with `get(name)`."""

    def get(self, name: str, /) -> str | bytes | Secret | None:
        """The value of this name; None if there is none."""


@dataclass(frozen=True)
class Environment:
    """Secrets in the environment: variables `<prefix><NAME>`.

    A name is written in capitals there, and what is no letter or digit is `_`: `db-password` is
    `RLM_SECRET_DB_PASSWORD`. Variables with the prefix are not handed on to worker processes.

    Args:
        prefix: what the variables begin with; not empty.
    """

    prefix: str = "RLM_SECRET_"

    def _spec(self) -> dict[str, Any]:
        return {"kind": "environment", "prefix": self.prefix}


@dataclass(frozen=True)
class Files:
    """Secrets in a directory, a file each, as Docker and Kubernetes mount them. `set` writes there.

    The name of a secret is the name of its file; a line end at the file's end is no part of the value. Files are read
    each time, so what Kubernetes changes there is seen at once.

    Args:
        directory: where the files are; one that does not exist has no secrets.
    """

    directory: str | os.PathLike[str] = "/run/secrets"

    def _spec(self) -> dict[str, Any]:
        return {"kind": "files", "directory": os.path.abspath(os.fspath(self.directory))}


@dataclass(frozen=True)
class AppRole:
    """Logs in to Vault as an application.

    Args:
        role_id: which one.
        secret_id: its credential.
        mount: where that way of logging in is mounted.
    """

    role_id: str
    secret_id: str | Secret = field(repr=False)
    mount: str = "approle"


@dataclass(frozen=True)
class Kubernetes:
    """Logs in to Vault with the service account of the pod.

    Args:
        role: the role in Vault.
        mount: where that way of logging in is mounted.
        token_file: the service account's token, which is read at each login.
    """

    role: str
    mount: str = "kubernetes"
    token_file: str | os.PathLike[str] = "/var/run/secrets/kubernetes.io/serviceaccount/token"


@dataclass(frozen=True)
class Vault:
    """Secrets in HashiCorp Vault or OpenBao: the key-value engine, version 2. `set` writes there.

    A name is a path below the mount and a field: `database/main#password`. Without a field it is the only one of the
    path, or the one called `value`. Tokens are renewed when two thirds of their time are over; one that ends is
    replaced by another login. Requests to another machine than this one have to be https.

    Args:
        address: of the server; default the variable `VAULT_ADDR`.
        auth: a token, an `AppRole` or a `Kubernetes`; default the variable `VAULT_TOKEN`, else the file
            `~/.vault-token`.
        mount: where the engine is mounted.
        prefix: a path that all names lie below.
        namespace: of Vault Enterprise or OpenBao; default the variable `VAULT_NAMESPACE`.
        ca_file: certificates in PEM form that are trusted besides the system's; default the variable `VAULT_CACERT`.
        allow_http: permits plain http to other machines, which shows secrets to the network.
    """

    address: str | None = None
    auth: str | Secret | AppRole | Kubernetes | None = field(default=None, repr=False)
    mount: str = "secret"
    prefix: str = ""
    namespace: str | None = None
    ca_file: str | os.PathLike[str] | None = None
    allow_http: bool = False

    def _spec(self) -> dict[str, Any]:
        address = self.address or os.environ.get("VAULT_ADDR")
        if not address:
            raise InvalidTaskError(
                "the address of Vault is not known. Give `Vault(address)`, or set VAULT_ADDR",
                details={"path": "secrets"},
            )
        ca_file = self.ca_file or os.environ.get("VAULT_CACERT") or None
        spec: dict[str, Any] = {
            "kind": "vault",
            "address": address,
            "mount": self.mount,
            "prefix": self.prefix,
            "namespace": self.namespace or os.environ.get("VAULT_NAMESPACE") or None,
            "ca_file": None if ca_file is None else os.path.abspath(os.fspath(ca_file)),
            "allow_http": self.allow_http,
            "auth": "token",
            "auth_mount": "",
            "role": "",
            "jwt_file": "",
        }
        auth = self.auth
        if isinstance(auth, AppRole):
            credential = _value(auth.secret_id, "secret_id")
            return {
                **spec,
                "auth": "approle",
                "auth_mount": auth.mount,
                "role": auth.role_id,
                "credential": credential,
            }
        if isinstance(auth, Kubernetes):
            jwt_file = os.path.abspath(os.fspath(auth.token_file))
            return {
                **spec,
                "auth": "kubernetes",
                "auth_mount": auth.mount,
                "role": auth.role,
                "jwt_file": jwt_file,
            }
        return {**spec, "credential": _value(auth or _vault_token(), "VAULT_TOKEN")}


def _value(given: str | Secret, name: str) -> Secret:
    return given if isinstance(given, Secret) else Secret(given, name)


def _vault_token() -> str:
    found = os.environ.get("VAULT_TOKEN")
    if not found:
        try:
            with open(os.path.expanduser("~/.vault-token"), encoding="utf-8") as file:
                found = file.read().strip()
        except OSError:
            found = ""
    if not found:
        raise InvalidTaskError(
            "there is no token for Vault. Give `Vault(auth=...)`, set VAULT_TOKEN, or log in: `vault login`",
            details={"path": "secrets"},
        )
    return found
