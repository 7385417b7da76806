"""Providers that stand on other libraries, those of the extra `secrets`: age files and the system's keyring."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from rlm_hypervisor._core import Secret
from rlm_hypervisor.errors import InvalidTaskError


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
