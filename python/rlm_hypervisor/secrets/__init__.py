"""Secrets: where they come from, what stands for one in a document, and the secrets of a client.

A client asks its providers in their order. A provider is one of the classes below, a dict of names and values, or any
object with a method `get(name)` that returns text, bytes, a `Secret`, or None where it has no such secret. It may have
`names()`, which lists what there is, `set(name, value)`, which keeps a value, and `describe()`, which says in words
where it looks.
"""

from __future__ import annotations

from rlm_hypervisor._core import Secret as Secret
from rlm_hypervisor.secrets.encrypted import Age, Keyring
from rlm_hypervisor.secrets.keeping import AnyProvider, Secrets, TaskSecrets
from rlm_hypervisor.secrets.naming import SecretName, redact, secret
from rlm_hypervisor.secrets.providers import AppRole, Environment, Files, Kubernetes, Provider, Vault

__all__ = [
    "Age",
    "AnyProvider",
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
    "redact",
    "secret",
]
