"""A real S3 server process on loopback, with a bucket of the same rows as the local files."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import RLMClient

from tests.io._proxy import Proxy

KEY = "AKIAEXAMPLEKEY"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLE"
BUCKET = "bucket"


@dataclass(frozen=True)
class Store:
    """Where the server listens, and what it takes to talk to it."""

    endpoint: str
    boto: Any

    @property
    def options(self) -> dict[str, str]:
        return {
            "aws_endpoint_url": self.endpoint,
            "aws_access_key_id": KEY,
            "aws_secret_access_key": SECRET,
            "aws_region": "us-east-1",
            "allow_http": "true",
        }

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }


def part(n: int) -> pa.Table:
    """The rows of file `n`."""
    rows = range(n * 10, n * 10 + 10)
    return pa.table({"k": [f"k{r % 3}" for r in rows], "n": list(rows)})


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory as Spark leaves it: four files, 0 to 39 in `n`, among markers and checksums."""
    folder = tmp_path_factory.mktemp("source") / "data"
    folder.mkdir()
    for n in range(4):
        pq.write_table(part(n), folder / f"part-{n}.parquet", row_group_size=4)
    (folder / "_SUCCESS").touch()
    (folder / "_metadata").write_bytes(b"not one of the files")
    (folder / "_common_metadata").write_bytes(b"not one of the files")
    (folder / ".part-0.parquet.crc").write_bytes(b"crc")
    return folder


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert server.poll() is None, "the S3 server has died"
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the S3 server does not answer")


@pytest.fixture(scope="session")
def s3(files: Path) -> Iterator[Store]:
    """The server, started for the session, with the files under `data/`, and a second prefix beside it."""
    port = _free_port()
    program = "from moto.server import main; import sys; sys.exit(main())"
    command = [sys.executable, "-c", program, "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(port, server)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield _filled(f"http://127.0.0.1:{port}", files)
        finally:
            server.terminate()
            server.wait(timeout=20)


def _filled(endpoint: str, files: Path) -> Store:
    import boto3

    boto = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
    )
    boto.create_bucket(Bucket=BUCKET)
    for path in sorted(files.iterdir()):
        boto.put_object(Bucket=BUCKET, Key=f"data/{path.name}", Body=path.read_bytes())
    boto.put_object(
        Bucket=BUCKET, Key="data-other/part-9.parquet", Body=(files / "part-0.parquet").read_bytes()
    )
    boto.put_object(
        Bucket=BUCKET, Key="odd names/a b+c=ü.parquet", Body=(files / "part-1.parquet").read_bytes()
    )
    boto.put_object(Bucket=BUCKET, Key="broken/part-0.parquet", Body=b"PAR1 this is no Parquet file")
    return Store(endpoint, boto)


@pytest.fixture
def options(s3: Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """How to reach the server by way of the test's own proxy, which does no harm yet."""
    for name in s3.environment:
        monkeypatch.delenv(name, raising=False)
    proxy.fail()
    return s3.options | {"aws_endpoint_url": proxy.endpoint}


@pytest.fixture
def remote(options: dict[str, str]) -> Iterator[RLMClient]:
    """A client that was told so."""
    with RLMClient(threads=2, storage_options=options) as client:
        yield client
