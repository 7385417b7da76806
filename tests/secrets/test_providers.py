"""Providers: what each finds, in which order, how it is kept, and what is refused."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import keyring.backend
import pyrage
import pytest
from rlm_hypervisor import (
    InvalidTaskError,
    OutputFailedError,
    RLMClient,
    Secret,
    SourceUnreadableError,
    secret,
)
from rlm_hypervisor.secrets import Age, Environment, Files, Keyring


def client(*providers: Any, **settings: Any) -> RLMClient:
    return RLMClient(threads=1, secrets=providers, **settings)


# A secret.
def test_a_secret_is_shown_by_nothing_but_reveal() -> None:
    one = Secret("a value of a test", "db")
    for text in (
        repr(one),
        str(one),
        f"{one}",
        f"{one!s:>12}",
        f"{one!r}",
        f"{[one]}",
        f"{one:>8}",
    ):
        assert "value" not in text
    assert repr(one) == "Secret('db')"
    assert one.name == "db"
    assert one.reveal() == "a value of a test"
    assert copy.copy(one) is one
    assert copy.deepcopy([one])[0] is one
    for dumps in (pickle.dumps, json.dumps):
        with pytest.raises(TypeError):
            dumps(one)
    with pytest.raises(TypeError):
        iter(one)  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        len(one)  # type: ignore[arg-type]


def test_secrets_are_equal_by_value() -> None:
    assert Secret("the same value") == Secret(b"the same value", "other name")
    assert Secret("the same value") != Secret("the same valuE")
    assert Secret("the same value") != "the same value"
    assert len({Secret("the same value"), Secret("the same value"), Secret("quite-another-value")}) == 2


@pytest.mark.parametrize("value", ["", "abc", b"\xff\xfe\xfd\xfc", "x" * 70_000])
def test_what_cannot_be_protected_is_refused_without_being_shown(value: str | bytes) -> None:
    with pytest.raises(InvalidTaskError, match="`pin`") as caught:
        Secret(value, "pin")
    if value:
        assert str(value) not in str(caught.value)
    with client({"pin": value}) as one, pytest.raises(InvalidTaskError, match="`pin`"):
        one.secrets.get("pin")


# Environment and files.
def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLM_SECRET_DB_PASSWORD", "from the environment")
    with RLMClient(threads=1) as one:
        assert one.secrets.get("db-password").reveal() == "from the environment"
        assert one.secrets.get("DB_PASSWORD") == one.secrets.get("db.password")
        assert "db_password" in one.secrets.names()
        monkeypatch.setenv("RLM_SECRET_DB_PASSWORD", "quite-another-value")
        assert one.secrets.get("db-password").reveal() == "quite-another-value"
        with pytest.raises(
            InvalidTaskError, match=r"no secret `db-pasword`.*Did you mean \"db_password\""
        ) as caught:
            one.secrets.get("db-pasword")
        assert caught.value.details["secret"] == "db-pasword"
    with pytest.raises(InvalidTaskError, match="prefix"):
        client(Environment(""))


def test_files_as_kubernetes_mounts_them(tmp_path: Path) -> None:
    # A volume is a link to a directory that is replaced as a whole.
    for number in (1, 2):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "token").write_text(f"value number {number}\n")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "token").symlink_to("..data/token")
    with client(Files(tmp_path)) as one:
        assert one.secrets.get("token").reveal() == "value number 1"
        assert one.secrets.names() == ["token"]
        (tmp_path / "..new").symlink_to("..2")
        (tmp_path / "..new").rename(tmp_path / "..data")
        assert one.secrets.get("token").reveal() == "value number 2"
        for name in ("../token", "..data/token", "/etc/passwd", "..data"):
            with pytest.raises(InvalidTaskError, match="no secret"):
                one.secrets.get(name)
        one.secrets.set("new", "newly-made-value")
        assert (tmp_path / "new").read_text() == "newly-made-value"
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
        assert one.secrets.get("new").reveal() == "newly-made-value"


def test_a_file_that_cannot_be_read_is_an_error_and_not_a_missing_secret(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with client(Files(tmp_path), {"loop": "of the next one"}) as one:
        with pytest.raises(SourceUnreadableError, match=r"`loop` from files in .*"):
            one.secrets.get("loop")


# The user's own.
def test_providers_are_asked_in_their_order() -> None:
    with client({"a": "first of a"}, {"a": "second of a", "b": "second of b"}) as one:
        assert one.secrets.get("a").reveal() == "first of a"
        assert one.secrets.get("b").reveal() == "second of b"
        assert one.secrets.names() == ["a", "b"]
        one.secrets.set("c", Secret("new of c"))
        assert one.secrets.get("c").reveal() == "new of c"
    assert repr(one.secrets) == "<Secrets of a dict, a dict>"


class Counting:
    """A provider that counts, and whose value can be changed."""

    def __init__(self) -> None:
        self.asked = 0
        self.value: Any = "the first value"

    def get(self, name: str) -> Any:
        self.asked += 1
        if isinstance(self.value, Exception):
            raise self.value
        return self.value if name == "one" else None


def test_values_are_kept_and_refreshed() -> None:
    provider = Counting()
    with client(provider) as one:
        for _ in range(3):
            assert one.secrets.get("one").reveal() == "the first value"
        assert provider.asked == 1
        provider.value = Secret("the second value")
        one.secrets.refresh("one")
        assert one.secrets.get("one").reveal() == "the second value"
        provider.value = b"the third value"
        one.secrets.refresh()
        assert one.secrets.get("one").reveal() == "the third value"
        with pytest.raises(InvalidTaskError, match="no provider can keep"):
            one.secrets.set("one", "unkeepable-value")
    with client(provider, secrets_ttl=0) as one:
        before = provider.asked
        one.secrets.get("one"), one.secrets.get("one")
        assert provider.asked == before + 2


def test_a_provider_that_raises_is_named() -> None:
    provider = Counting()
    provider.value = ConnectionError("no route to the vault")
    with client(provider, {"one": "of the next"}) as one:
        with pytest.raises(
            SourceUnreadableError, match="`one` from Counting: ConnectionError: no route"
        ) as caught:
            one.secrets.get("one")
        assert caught.value.details["provider"] == "Counting"
        provider.value = 17
        with pytest.raises(SourceUnreadableError, match="text or bytes, not int"):
            one.secrets.get("one")


def test_a_provider_may_ask_for_another_secret() -> None:
    class Nested:
        client: RLMClient

        def get(self, name: str) -> str | None:
            return "from " + self.client.secrets.get("inner").reveal() if name == "outer" else None

    nested = Nested()
    with client(nested, {"inner": "the inner value"}) as one:
        nested.client = one
        assert one.secrets.get("outer").reveal() == "from the inner value"


@pytest.mark.parametrize(
    "providers",
    [{"a": "vvalue"}, "env", [object()], [Counting], [None], 7, Environment()],
    ids=["a dictionary", "a name", "an object", "a class", "None in a list", "a number", "one in no list"],
)
def test_what_is_no_provider_is_refused(providers: Any) -> None:
    with pytest.raises(InvalidTaskError) as caught:
        RLMClient(threads=1, secrets=providers)
    assert caught.value.details["path"] == "secrets"


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "ü", "x" * 600, "a;b"])
def test_what_is_no_name_is_refused_and_not_shown(name: str) -> None:
    with client({name: "a value of it"}) as one:
        with pytest.raises(InvalidTaskError, match="not the name of a secret") as caught:
            one.secrets.get(name)
    assert not name.strip() or name not in str(caught.value)


def test_a_closed_client_has_no_secrets() -> None:
    one = client({"a": "first of a"})
    one.close()
    for use in (lambda: one.secrets.get("a"), one.secrets.names, lambda: one.secrets.set("a", "value")):
        with pytest.raises(InvalidTaskError, match="closed"):
            use()


# age.
@pytest.fixture
def identity(tmp_path: Path) -> Path:
    """A file of identities, as age-keygen writes it."""
    made = pyrage.x25519.Identity.generate()
    path = tmp_path / "key.txt"
    path.write_text(f"# created: today\n# public key: {made.to_public()}\n{made}\n")
    return path


def test_age_files(tmp_path: Path, identity: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    key = identity.read_text().splitlines()[-1]
    recipient = pyrage.x25519.Identity.from_str(key).to_public()
    (folder / "db.age").write_bytes(pyrage.encrypt(b"of an age file\n", [recipient]))
    (folder / "other.age").write_bytes(
        pyrage.encrypt(b"of somebody else", [pyrage.x25519.Identity.generate().to_public()])
    )
    for given in (identity, key, Secret(key)):
        with client(Age(folder, given)) as one:
            assert one.secrets.get("db").reveal() == "of an age file"
            assert one.secrets.names() == ["db", "other"]
            with pytest.raises(SourceUnreadableError, match=r"`other`.*age files in.*cannot be decrypted"):
                one.secrets.get("other")
            with pytest.raises(InvalidTaskError, match="no secret `none`"):
                one.secrets.get("none")
            one.secrets.set("new", "kept in age")
            assert b"kept" not in (folder / "new.age").read_bytes()
            assert one.secrets.get("new").reveal() == "kept in age"
            (folder / "new.age").unlink()
            assert key not in repr(Age(folder, given)) + repr(one.secrets)
    assert sorted(path.name for path in folder.iterdir()) == ["db.age", "other.age"]


def test_age_identities_that_are_none_are_refused_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("# nothing\n")
    for given in ("AGE-SECRET-KEY-1NOTREALLY", tmp_path / "none", tmp_path / "empty"):
        with pytest.raises(InvalidTaskError) as caught:
            Age(tmp_path, given)
        assert "NOTREALLY" not in str(caught.value)
    with pytest.raises(InvalidTaskError, match="recipient"):
        Age(tmp_path, str(pyrage.x25519.Identity.generate()), recipients=["age1nope"])


# The keyring.
class InMemory(keyring.backend.KeyringBackend):
    """A keyring without an operating system."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.values.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if username == "refused":
            raise RuntimeError("the keyring is locked")
        self.values[service, username] = password


@pytest.fixture
def in_memory() -> Iterator[InMemory]:
    before, made = keyring.get_keyring(), InMemory()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def test_the_keyring(in_memory: InMemory) -> None:
    in_memory.values["app", "db"] = "of the keyring"
    with client(Keyring("app")) as one:
        assert one.secrets.get("db").reveal() == "of the keyring"
        one.secrets.set("new", "kept in the keyring")
        assert in_memory.values["app", "new"] == "kept in the keyring"
        assert one.secrets.names() == []
        with pytest.raises(OutputFailedError, match=r"`refused` to the system's keyring.*locked"):
            one.secrets.set("refused", "locked-out-value")


# In storage options.
def test_options_that_make_no_sense_are_refused() -> None:
    for given in ({"secret": 1}, {"secret": "a", "more": "b"}, {}, {"name": "a"}):
        with pytest.raises(InvalidTaskError, match="storage_options"):
            RLMClient(threads=1, storage_options={"aws_secret_access_key": given})
    assert repr(secret("a-name")) == "secret('a-name')"


def test_a_secret_of_a_store_that_is_not_there_is_named() -> None:
    with client(storage_options={"aws_secret_access_key": secret("s3")}) as one:
        task = {"type": "parallel", "input": {"source": "s3://bucket/x.parquet", "operation": len}}
        with pytest.raises(InvalidTaskError, match="no secret `s3`"):
            one.execute(task)
