"""How many requests a store gets: of a Parquet file its end is one, and with it how large it is."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import RLMClient, SourceNotFoundError, SourceUnreadableError

from tests.conftest import make_task
from tests.io._proxy import Fault, Proxy
from tests.io.conftest import BUCKET, Store
from tests.io.test_local import numbers

ROWS = 60_000


def body(rows: range, columns: int = 1) -> bytes:
    """Incompressible enough that the end is not all of the file."""
    file = io.BytesIO()
    names = ["n"] + [f"column number {column}" for column in range(1, columns)]
    pq.write_table(pa.table({name: list(rows) for name in names}), file, compression="none")
    return file.getvalue()


@pytest.fixture(scope="module")
def proxy(s3: Store) -> Iterator[Proxy]:
    for part in range(3):
        rows = range(part * ROWS, (part + 1) * ROWS)
        s3.boto.put_object(Bucket=BUCKET, Key=f"requests/part-{part}.parquet", Body=body(rows))
    s3.boto.put_object(Bucket=BUCKET, Key="requests-wide/wide.parquet", Body=body(range(10), 1_500))
    s3.boto.put_object(Bucket=BUCKET, Key="requests-empty/empty.parquet", Body=b"")
    s3.boto.put_object(Bucket=BUCKET, Key="requests-dir/out.parquet/part-0.parquet", Body=body(range(10)))
    with Proxy(s3.endpoint) as proxy:
        yield proxy


def url(key: str) -> str:
    return f"s3://{BUCKET}/{key}"


def methods(proxy: Proxy) -> list[str]:
    return [method for method, _ in proxy.seen]


def test_a_file_is_two_requests(remote: RLMClient, proxy: Proxy) -> None:
    for name in ("s3", "s3a"):
        proxy.fail()
        source = url("requests/part-1.parquet").replace("s3://", f"{name}://")
        assert numbers(remote, source) == list(range(ROWS, 2 * ROWS))
        # Its end, and the column.
        assert methods(proxy) == ["GET", "GET"]


def test_one_that_is_known_is_asked_for_its_tag(remote: RLMClient, proxy: Proxy, s3: Store) -> None:
    key = "requests-again/part.parquet"
    s3.boto.put_object(Bucket=BUCKET, Key=key, Body=body(range(10)))
    assert numbers(remote, url(key)) == list(range(10))
    proxy.fail()
    assert numbers(remote, url(key)) == list(range(10))
    assert methods(proxy) == ["HEAD", "GET"]
    s3.boto.put_object(Bucket=BUCKET, Key=key, Body=body(range(20, 30)))
    proxy.fail()
    assert numbers(remote, url(key)) == list(range(20, 30))
    assert methods(proxy) == ["HEAD", "GET", "GET"]


def test_files_of_a_list_are_asked_for_side_by_side(remote: RLMClient, proxy: Proxy) -> None:
    sources = [url(f"requests/part-{part}.parquet") for part in (2, 0, 1)]
    proxy.fail(Fault("held", "GET", "part-", times=3))
    found: list[list[int]] = []
    reader = threading.Thread(target=lambda: found.append(numbers(remote, sources)))
    reader.start()
    # None is answered before all three are asked for.
    while proxy.happened() != [3]:
        assert proxy.hanging.wait(30)
        assert reader.is_alive()
    proxy.released.set()
    reader.join(60)
    assert found == [[*range(2 * ROWS, 3 * ROWS), *range(2 * ROWS)]]
    assert methods(proxy) == ["GET"] * 6


def test_a_prefix_is_a_listing_and_an_end_of_each(remote: RLMClient, proxy: Proxy) -> None:
    assert remote.execute(make_task(url("requests/"), lambda p: p["n"].size)) == 3 * ROWS
    assert methods(proxy) == ["GET"] * 4
    assert sum("list-type=2" in target for _, target in proxy.seen) == 1


def test_a_footer_that_is_longer(remote: RLMClient, proxy: Proxy) -> None:
    names = [f"column number {column}" for column in range(1, 1_500)]
    source = url("requests-wide/wide.parquet")
    assert list(remote.schema(source)) == ["n", *names]
    assert numbers(remote, source) == list(range(10))
    assert "HEAD" in methods(proxy)


def test_an_empty_object_and_a_directory_of_that_name(remote: RLMClient, proxy: Proxy) -> None:
    with pytest.raises(SourceUnreadableError, match=r"empty\.parquet"):
        numbers(remote, url("requests-empty/empty.parquet"))
    assert numbers(remote, url("requests-dir/out.parquet")) == list(range(10))
    with pytest.raises(SourceNotFoundError, match="nothing"):
        numbers(remote, url("requests-dir/nothing.parquet"))


def test_a_store_that_knows_no_ends(remote: RLMClient, proxy: Proxy) -> None:
    proxy.fail(Fault("status", "GET", "part-1", times=1, status=416, code="InvalidRange"))
    assert numbers(remote, url("requests/part-1.parquet")) == list(range(ROWS, 2 * ROWS))
    assert methods(proxy) == ["GET", "HEAD", "GET", "GET"]


def test_an_end_that_was_cut_is_no_end(remote: RLMClient, proxy: Proxy) -> None:
    proxy.fail(Fault("short", "GET", "part-1", times=1))
    assert numbers(remote, url("requests/part-1.parquet")) == list(range(ROWS, 2 * ROWS))
    proxy.fail(Fault("reset", "GET", "part-2", times=1), Fault("cut", "GET", "part-2", times=1))
    assert numbers(remote, url("requests/part-2.parquet")) == list(range(2 * ROWS, 3 * ROWS))
    assert proxy.happened() == [1, 1]


def test_text_is_asked_for_whole(remote: RLMClient, proxy: Proxy, s3: Store) -> None:
    for part in range(6):
        text = "n\n" + "".join(f"{n}\n" for n in range(part * 10, part * 10 + 10))
        s3.boto.put_object(Bucket=BUCKET, Key=f"requests-text/{part}.csv", Body=text.encode())
    proxy.fail(Fault("held", "GET", "requests-text/", times=5, skip=1))
    found: list[Any] = []
    source = url("requests-text/")
    reader = threading.Thread(target=lambda: found.append(numbers(remote, source)))
    reader.start()
    # The listing passes, and files are fetched side by side.
    while proxy.happened() != [5]:
        assert proxy.hanging.wait(30)
        assert reader.is_alive()
    proxy.released.set()
    reader.join(60)
    assert found == [list(range(60))]
    assert methods(proxy) == ["GET"] * 7
