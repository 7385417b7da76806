"""What stands for a secret in a document, and texts without secrets."""

from __future__ import annotations

from dataclasses import dataclass

from rlm_hypervisor import _core


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


def redact(text: str) -> str:
    """The text with `***` for the values of all secrets that clients of this process have seen, however written.

    For logs of your own: what the package itself tells is clean already.

    >>> from rlm_hypervisor import Secret
    >>> from rlm_hypervisor.secrets import redact
    >>> token = Secret("token-of-the-example")
    >>> redact("GET /?token=token-of-the-example or dG9rZW4tb2YtdGhlLWV4YW1wbGU=")
    'GET /?token=*** or ***'
    """
    return _core.redact(text)
