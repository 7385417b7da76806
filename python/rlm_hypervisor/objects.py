"""Objects: what is behind `memory://` addresses of a client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping

from rlm_hypervisor import _core
from rlm_hypervisor.errors import InvalidTaskError

__all__ = ["Objects"]

_SCHEME = "memory://"


class Objects(MutableMapping[str, bytes]):
    """The objects of `memory://`: a mapping of keys to bytes; `client.memory`.

    `memory://` is a store within the client, for data that is made and used in one process: tasks read it, and `output`
    and `result.write` write it, as they do those of any other store. It belongs to one client and goes with it. What it
    holds counts as memory that the client holds: runs have what it leaves of `memory_limit`, and what does not fit is
    refused with OUT_OF_MEMORY.

    A key is written with `memory://` before it or without: `memory://a/b.csv`, `a/b.csv` and `/a/b.csv` are one.

    >>> from rlm_hypervisor import RLMClient
    >>> client = RLMClient()
    >>> client.memory["uploads/days.csv"] = b"day,hits\\nmon,3\\ntue,5\\n"
    >>> days = client.read("memory://uploads/days.csv").result()
    >>> days.to_dict()
    {'day': ['mon', 'tue'], 'hits': [3, 5]}
    >>> days.write.csv("memory://out/days.csv").files[0].path
    'memory://out/days.csv'
    >>> list(client.memory)
    ['out/days.csv', 'uploads/days.csv']
    """

    def __init__(self, objects: _core.Objects, check: Callable[[], None]) -> None:
        self._objects = objects
        self._check = check

    def __getitem__(self, key: str) -> bytes:
        self._check()
        found = self._objects.get(_key(key))
        if found is None:
            raise KeyError(key)
        return found

    def __setitem__(self, key: str, data: bytes) -> None:
        """Puts an object, in the place of one that is there.

        Raises:
            OutOfMemoryError: the client has no memory left for it.
        """
        self._check()
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InvalidTaskError(
                f"`client.memory[{key!r}]` is given a {type(data).__name__}, but objects are bytes. "
                "Encode text: `text.encode()`",
                details={"path": "data"},
            )
        self._objects.put(_key(key), bytes(data))

    def __delitem__(self, key: str) -> None:
        self._check()
        if not self._objects.remove(_key(key)):
            raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        self._check()
        return iter(self._objects.keys())

    def __len__(self) -> int:
        self._check()
        return len(self._objects.keys())

    def __repr__(self) -> str:
        return f"<Objects of memory://: {len(self)}>"


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise InvalidTaskError(f"the key of an object is a string, not {key!r}", details={"path": "key"})
    return key.removeprefix(_SCHEME).lstrip("/")
