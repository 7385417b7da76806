"""Messages between supervisor and worker, from the worker's side: they come back whole, however they are cut on their way."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor.worker.channel import SHARED_FROM, Channel, Written, unnamed

sizes = st.one_of(
    st.integers(0, 40),
    st.integers(16_000, 16_800),
    st.integers(30_000, 70_000),
    st.sampled_from([SHARED_FROM - 1, SHARED_FROM, SHARED_FROM + 17]),
)


def _blob(size: int, seed: int) -> bytes:
    return bytes((seed + at) % 251 for at in range(251)) * (size // 251 + 1)


@given(messages=st.lists(st.lists(sizes, max_size=4), min_size=1, max_size=6), written=st.booleans())
@settings(max_examples=60, deadline=None)
def test_messages_come_back_whole(messages: list[list[int]], written: bool) -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with one, other:
        blobs = [[_blob(size, at)[:size] for at, size in enumerate(found)] for found in messages]

        def made(blob: bytes) -> Any:
            if not written or len(blob) < SHARED_FROM:
                return blob
            shared = Written(unnamed())
            os.write(shared.file, blob)
            shared.length = len(blob)
            return shared

        def send() -> None:
            channel = Channel(one)
            for number, found in enumerate(blobs):
                channel.send({"t": "part", "n": number, "text": "ü" * number}, [made(blob) for blob in found])

        sender = threading.Thread(target=send)
        sender.start()
        channel = Channel(other)
        for number, found in enumerate(blobs):
            head, came = channel.receive()
            assert head == {"t": "part", "n": number, "text": "ü" * number}
            assert [bytes(blob) for blob in came] == found
        sender.join()
        one.shutdown(socket.SHUT_WR)
        with pytest.raises(EOFError):
            channel.receive()


@given(cuts=st.lists(st.integers(1, 50), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_a_message_may_come_in_pieces(cuts: list[int]) -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with one, other:
        first, second = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with first, second:
            channel = Channel(first)
            channel.send({"t": "call", "n": 1}, [b"abc", b"", b"x" * 300])
            channel.send({"t": "call", "n": 2}, [])
            data = second.recv(1 << 16)

        def send() -> None:
            at, turn = 0, 0
            while at < len(data):
                one.sendall(data[at : at + cuts[turn % len(cuts)]])
                at += cuts[turn % len(cuts)]
                turn += 1

        sender = threading.Thread(target=send)
        sender.start()
        came = Channel(other)
        assert came.receive() == ({"t": "call", "n": 1}, [b"abc", b"", b"x" * 300])
        assert came.receive() == ({"t": "call", "n": 2}, [])
        sender.join()
