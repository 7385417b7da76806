"""The secrets of a client, and those that a task gives its operation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from rlm_hypervisor import _core
from rlm_hypervisor._core import Secret
from rlm_hypervisor.errors import InvalidTaskError
from rlm_hypervisor.secrets.providers import Environment, Files, Provider, Vault

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
