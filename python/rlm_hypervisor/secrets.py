"""Secrets: where they come from, what stands for one in a document, and the secrets of a client.

A client asks its providers in their order. A provider is one of the classes below, a dict of names and values, or any
object with a method `get(name)` that returns text, bytes, a `Secret`, or None where it has no such secret. It may have
`names()`, which lists what there is, `set(name, value)`, which keeps a value, and `describe()`, which says in words
where it looks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from rlm_hypervisor import _core
from rlm_hypervisor._core import Secret as Secret
from rlm_hypervisor.errors import InvalidTaskError

__all__ = [
    "Age",
    "AppRole",
    "Environment",
    "Files",
    "Keyring",
    "Kubernetes",
    "Provider",
    "Secret",
    "SecretName",
    "Secrets",
    "TaskSecrets",
    "Vault",
    "secret",
]


class Provider(Protocol):
    """Anything that has secrets: an object with `get(name)`."""

    def get(self, name: str, /) -> str | bytes | Secret | None:
        """The value of this name; None if there is none."""


@dataclass(frozen=True)
class SecretName:
    """The name of a secret, in the place of its value; made by `secret(name)`."""

    name: str

    def __repr__(self) -> str:
        return f"secret({self.name!r})"


def secret(name: str) -> SecretName:
    """Stands for the secret of this name where a value is wanted: the client asks for it when it needs it.

    In a document, which is plain data, `{"secret": name}` says the same.

    >>> from rlm_hypervisor import RLMClient, secret
    >>> client = RLMClient(
    ...     secrets=[{"s3-key": "an example of a key"}],
    ...     storage_options={"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": secret("s3-key")},
    ... )
    >>> client.secrets.get("s3-key")
    Secret('s3-key')
    """
    return SecretName(name)


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


class Age:
    """Secrets in files that are encrypted with age: `<directory>/<name>.age`. Needs the extra `secrets`.

    Args:
        directory: where the files are.
        identity: the path of a file of age identities, or an identity itself (`AGE-SECRET-KEY-1...`) as text or
            `Secret`.
        recipients: whom `set` encrypts for (`age1...`); default the public keys of the identities.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        identity: str | os.PathLike[str] | Secret,
        *,
        recipients: Iterable[str] | None = None,
    ) -> None:
        from rlm_hypervisor._lazy import require

        pyrage: Any = require("pyrage", "secrets in age files")
        self._directory = os.path.abspath(os.fspath(directory))
        self._pyrage = pyrage
        self._identities = [_identity(pyrage, line) for line in _identity_lines(identity)]
        try:
            self._recipients = (
                [one.to_public() for one in self._identities]
                if recipients is None
                else [pyrage.x25519.Recipient.from_str(one) for one in recipients]
            )
        except Exception as error:
            raise InvalidTaskError(
                "a recipient is not one of age. Give public keys that begin with `age1`",
                details={"path": "secrets"},
            ) from error

    def describe(self) -> str:
        """Where it looks."""
        return f"age files in {self._directory}"

    def __repr__(self) -> str:
        return f"Age({self._directory!r})"

    def get(self, name: str) -> bytes | None:
        """The value of this name, decrypted."""
        path = self._path(name)
        try:
            with open(path, "rb") as file:
                encrypted = file.read()
        except FileNotFoundError:
            return None
        try:
            value: bytes = self._pyrage.decrypt(encrypted, self._identities)
        except Exception as error:
            raise ValueError(f"`{os.path.basename(path)}` cannot be decrypted: {error}") from None
        return value.removesuffix(b"\n").removesuffix(b"\r")

    def names(self) -> list[str]:
        """The names that there are files of."""
        try:
            found = os.listdir(self._directory)
        except FileNotFoundError:
            return []
        return sorted(name.removesuffix(".age") for name in found if name.endswith(".age") and name[0] != ".")

    def set(self, name: str, value: str) -> None:
        """Encrypts a value into the file of this name, which only its owner may read."""
        import tempfile

        encrypted = self._pyrage.encrypt(value.encode(), self._recipients)
        path = self._path(name)
        handle, temporary = tempfile.mkstemp(dir=self._directory, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(encrypted)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise

    def _path(self, name: str) -> str:
        if "/" in name or name.startswith("."):
            raise ValueError("the name of an age file has no `/`, and does not begin with a dot")
        return os.path.join(self._directory, f"{name}.age")


def _identity_lines(given: str | os.PathLike[str] | Secret) -> list[str]:
    if isinstance(given, Secret):
        text = given.reveal()
    elif isinstance(given, str) and given.lstrip().startswith("AGE-SECRET-KEY-"):
        text = given
    else:
        try:
            with open(os.fspath(given), encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidTaskError(
                f"the file of age identities cannot be read: {error}", details={"path": "secrets"}
            ) from None
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise InvalidTaskError("there is no age identity in what was given", details={"path": "secrets"})
    return lines


def _identity(pyrage: Any, line: str) -> Any:
    Secret(line, "age identity")  # from now on it is looked for in what is told
    try:
        return pyrage.x25519.Identity.from_str(line)
    except Exception:
        raise InvalidTaskError(
            "an age identity is none. It has to be one line that begins with `AGE-SECRET-KEY-1`",
            details={"path": "secrets"},
        ) from None


class Keyring:
    """Secrets in the keyring of the operating system. Needs the extra `secrets`. `set` writes there.

    Args:
        service: the name under which the keyring keeps them; the name of a secret is its user name.
    """

    def __init__(self, service: str = "rlm-hypervisor") -> None:
        from rlm_hypervisor._lazy import require

        self._keyring: Any = require("keyring", "secrets in the system's keyring")
        self._service = service

    def describe(self) -> str:
        """Where it looks."""
        return f"the system's keyring (service `{self._service}`)"

    def __repr__(self) -> str:
        return f"Keyring({self._service!r})"

    def get(self, name: str) -> str | None:
        """The value of this name."""
        found: str | None = self._keyring.get_password(self._service, name)
        return found

    def set(self, name: str, value: str) -> None:
        """Keeps a value."""
        self._keyring.set_password(self._service, name, value)


AnyProvider: TypeAlias = Environment | Files | Vault | Provider | Mapping[str, str | bytes | Secret]


def keeper(providers: Iterable[AnyProvider] | None, keep_seconds: int) -> _core.Secrets:
    """The core's form of a client's secrets."""
    if providers is None:
        providers = (Environment(), Files())
    if isinstance(providers, str | bytes | Mapping) or not isinstance(providers, Iterable):
        raise InvalidTaskError(
            f"`secrets` is a {type(providers).__name__}. Give a list of providers, such as `[Environment(), Files()]`",
            details={"path": "secrets"},
        )
    made = [_made(provider) for provider in providers]
    return _core.Secrets(made, keep_seconds)


def _made(provider: AnyProvider) -> Any:
    if isinstance(provider, Environment | Files | Vault):
        return provider._spec()
    if isinstance(provider, dict):
        return _Dict(provider)
    return provider


class _Dict:
    """A dict of names and values as a provider; it is asked anew each time."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def describe(self) -> str:
        return "a dict"

    def get(self, name: str) -> Any:
        return self._values.get(name)

    def names(self) -> list[str]:
        return [name for name in self._values if isinstance(name, str)]

    def set(self, name: str, value: str) -> None:
        self._values[name] = value


class Secrets:
    """The secrets of a client: `client.secrets`."""

    def __init__(self, core: _core.Secrets, check: Any) -> None:
        self._core = core
        self._check = check

    def get(self, name: str) -> Secret:
        """The secret of this name, of the first provider that has it. `reveal()` of it is the value.

        A value is kept for `secrets_ttl` seconds, those of the environment and of files not at all.

        Raises:
            InvalidTaskError: no provider has it, or its value cannot be protected: it is empty, has fewer than four
                characters or more than 64 KiB, or is not text.
            SourceUnreadableError: a provider could not be asked.

        >>> from rlm_hypervisor import RLMClient
        >>> client = RLMClient(secrets=[{"token": "for-the-example"}])
        >>> token = client.secrets.get("token")
        >>> print(token, repr(token))
        *** Secret('token')
        >>> token.reveal()
        'for-the-example'
        """
        self._check()
        return self._core.get(name)

    def set(self, name: str, value: str | Secret) -> None:
        """Keeps a secret in the first provider that can: `Files`, `Age`, `Keyring`, `Vault`, one with `set`.

        Raises:
            InvalidTaskError: none can.
            OutputFailedError: it failed.
        """
        self._check()
        self._core.set(name, value)

    def names(self) -> list[str]:
        """The names of all providers that can list theirs, sorted."""
        self._check()
        return self._core.names()

    def refresh(self, name: str | None = None) -> None:
        """Forgets the kept value of this name, or of all: whoever wants it next asks the providers."""
        self._check()
        self._core.refresh(name)

    def __repr__(self) -> str:
        return f"<Secrets of {self._core.described()}>"


class TaskSecrets(Mapping[str, Secret]):
    """The secrets that a task gave its operation: `current_task().secrets`."""

    def __init__(self, values: Mapping[str, Secret]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Secret:
        found = self._values.get(name)
        if found is None:
            raise KeyError(f"{name}: the task did not give it. Name it in `options.secrets`")
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<secrets {', '.join(self._values)}>"
