"""Places that hold objects, each behind the same few words: what one test can ask of all of them."""

from __future__ import annotations

import copy
import json
import os
import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, MutableMapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.conftest import ROOT
from tests.io.conftest import BUCKET, Store

# The account that every emulator of Azure has.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class Kept(ABC):
    """A store and how its own library writes and reads it."""

    options: dict[str, str]
    """What a client is told."""

    @abstractmethod
    def url(self, key: str) -> str:
        """How a user writes the address of a key."""

    @abstractmethod
    def put(self, key: str, body: bytes) -> None: ...

    @abstractmethod
    def get(self, key: str) -> bytes: ...

    @abstractmethod
    def keys(self, prefix: str) -> list[str]:
        """The keys below a prefix, in order."""

    def prepare(self, folder: str) -> None:
        """Makes a directory, where there are some."""
        del folder

    def unfinished(self) -> list[str]:
        """What is begun and not completed."""
        return []


class Local(Kept):
    """A directory."""

    def __init__(self, root: Path) -> None:
        self.root, self.options = root, {}

    def url(self, key: str) -> str:
        return f"{self.root}/{key}"

    def put(self, key: str, body: bytes) -> None:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def get(self, key: str) -> bytes:
        return (self.root / key).read_bytes()

    def keys(self, prefix: str) -> list[str]:
        files = (self.root / prefix).rglob("*")
        return sorted(str(path.relative_to(self.root)) for path in files if path.is_file())

    def prepare(self, folder: str) -> None:
        (self.root / folder).mkdir(parents=True)

    def unfinished(self) -> list[str]:
        return [str(path) for path in self.root.rglob(".*rlm*")]


def escaped(key: str) -> str:
    """A key in an address: only what would begin something else there is in percent form."""
    return quote(key, safe="/ +=&,;'()!~@$:#*[]" + "".join(letter for letter in key if ord(letter) > 127))


class Moto(Kept):
    """The S3 server; for Google's client too, whose XML protocol is that of S3 but for how it says who asks."""

    def __init__(self, server: Store, scheme: str, endpoint: str = "") -> None:
        self.server, self.scheme = server, scheme
        nobody = {"client_email": "", "private_key": "", "private_key_id": "", "disable_oauth": True}
        google = {"google_base_url": endpoint, "google_service_account_key": json.dumps(nobody)}
        self.options = server.options if scheme == "s3" else google

    def url(self, key: str) -> str:
        return f"{self.scheme}://{BUCKET}/{escaped(key)}"

    def put(self, key: str, body: bytes) -> None:
        self.server.boto.put_object(Bucket=BUCKET, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        return bytes(self.server.boto.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def keys(self, prefix: str) -> list[str]:
        pages = self.server.boto.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def unfinished(self) -> list[str]:
        found = self.server.boto.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return [entry["Key"] for entry in found]


class InMemory(Kept):
    """The objects of a client, by the door that its user has."""

    def __init__(self) -> None:
        self.options: dict[str, str] = {}
        self.objects: MutableMapping[str, bytes] = {}

    def url(self, key: str) -> str:
        return f"memory://{escaped(key)}"

    def put(self, key: str, body: bytes) -> None:
        self.objects[key] = body

    def get(self, key: str) -> bytes:
        return self.objects[key]

    def keys(self, prefix: str) -> list[str]:
        return [key for key in self.objects if key.startswith(f"{prefix}")]


class Web(Moto):
    """The same server as a plain one of the web, which is only read."""

    def __init__(self, server: Store) -> None:
        super().__init__(server, "http")
        self.options = {}

    def put(self, key: str, body: bytes) -> None:
        self.server.boto.put_object(Bucket=BUCKET, Key=key, Body=body, ACL="public-read")

    def url(self, key: str) -> str:
        return f"{self.server.endpoint}/{BUCKET}/{quote(key)}"


class Azurite(Kept):
    """Microsoft's own emulator, written and read by Arrow's client of Azure."""

    address = f"az://{BUCKET}"

    def __init__(self, port: int) -> None:
        from pyarrow.fs import AzureFileSystem

        host = f"127.0.0.1:{port}"
        self.options = {
            "azure_storage_account_name": ACCOUNT,
            "azure_storage_account_key": ACCOUNT_KEY,
            "azure_storage_endpoint": f"http://{host}/{ACCOUNT}",
        }
        self.files = AzureFileSystem(
            account_name=ACCOUNT,
            account_key=ACCOUNT_KEY,
            blob_storage_authority=host,
            dfs_storage_authority=host,
            blob_storage_scheme="http",
            dfs_storage_scheme="http",
        )
        self.files.create_dir(BUCKET)

    def url(self, key: str) -> str:
        return f"{self.address}/{escaped(key)}"

    def called_as_by_hadoop(self) -> Azurite:
        """The same, addressed as Spark does."""
        other = copy.copy(self)
        other.address = f"abfss://{BUCKET}@{ACCOUNT}.dfs.core.windows.net"
        return other

    def put(self, key: str, body: bytes) -> None:
        with self.files.open_output_stream(f"{BUCKET}/{key}") as stream:
            stream.write(body)

    def get(self, key: str) -> bytes:
        return bytes(self.files.open_input_file(f"{BUCKET}/{key}").read())

    def keys(self, prefix: str) -> list[str]:
        from pyarrow.fs import FileSelector, FileType

        folder = f"{BUCKET}/{prefix}".rstrip("/")
        selector = FileSelector(folder, recursive=True, allow_not_found=True)
        found = self.files.get_file_info(selector)
        return sorted(info.path.removeprefix(f"{BUCKET}/") for info in found if info.type == FileType.File)


def azurite_program() -> Path | None:
    """Where `scripts/emulators.sh` has put it."""
    roots = [os.environ.get("VIRTUAL_ENV", ""), str(ROOT / ".venv")]
    found = (Path(root) / "emulators/node_modules/.bin/azurite-blob" for root in roots if root)
    return next((path for path in found if path.exists() and shutil.which("node")), None)


@contextmanager
def azurite(program: Path, folder: Path) -> Iterator[Azurite]:
    """The emulator, which keeps everything in memory."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command: list[Any] = [
        program,
        "--inMemoryPersistence",
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        str(port),
    ]
    command += ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, cwd=folder) as server:
        try:
            end = time.monotonic() + 60
            while time.monotonic() < end:
                assert server.poll() is None, "the emulator of Azure has died"
                with closing(socket.socket()) as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield Azurite(port)
        finally:
            server.terminate()
            server.wait(timeout=20)
