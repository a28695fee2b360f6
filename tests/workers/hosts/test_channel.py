"""Channels carry typed messages of bounded size, and descriptors."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect.errors import ConnectError
from kconnect_workers.hosts import messages
from kconnect_workers.hosts.channel import (
    MAX_MESSAGE_BYTES,
    AsyncChannel,
    Channel,
    ChannelBusyError,
    ChannelClosedError,
    ChannelProtocolError,
    FrameDecoder,
    encode_frame,
)
from kconnect_workers.hosts.messages import FromHost, StateChanged, ToHost


@pytest.fixture
def pair() -> Iterator[tuple[Channel[ToHost], socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours, ToHost), theirs


def test_messages_arrive_as_they_were_sent(pair: tuple[Channel[ToHost], socket.socket]) -> None:
    channel, other = pair
    sent = [messages.Renew(until=1.5), messages.SetTargetState(target_state="PAUSED"), messages.Stop()]
    other.sendall(b"".join(map(encode_frame, sent)))
    assert [channel.receive(1) for _ in sent] == sent
    assert channel.receive(0) is None


def test_the_end_of_the_other_side_is_told(pair: tuple[Channel[ToHost], socket.socket]) -> None:
    channel, other = pair
    other.close()
    with pytest.raises(ChannelClosedError):
        channel.receive(1)


def test_a_message_of_another_channel_is_refused(pair: tuple[Channel[ToHost], socket.socket]) -> None:
    channel, other = pair
    other.sendall(encode_frame(StateChanged(state="RUNNING")))
    with pytest.raises(ChannelProtocolError, match="StateChanged"):
        channel.receive(1)


def test_an_announced_size_over_the_limit_is_refused_before_it_is_read() -> None:
    decoder: FrameDecoder[FromHost] = FrameDecoder(FromHost)
    with pytest.raises(ChannelProtocolError, match="over the limit"):
        list(decoder.feed((MAX_MESSAGE_BYTES + 1).to_bytes(4, "big")))


def test_a_message_over_the_limit_is_not_sent() -> None:
    with pytest.raises(ConnectError, match="larger than"):
        encode_frame(StateChanged(state="FAILED", trace="x" * (MAX_MESSAGE_BYTES + 1)))


def test_descriptors_come_along(pair: tuple[Channel[messages.ToZygote], socket.socket]) -> None:
    ours, theirs = socket.socketpair()
    channel: Channel[messages.ToZygote] = Channel(ours, messages.ToZygote)
    reader, writer = os.pipe()
    with ours, theirs:
        socket.send_fds(theirs, [encode_frame(messages.Fork(token=1))], [writer])
        os.close(writer)
        assert channel.receive(1) == messages.Fork(token=1)
        (received,) = channel.take_fds(1)
        os.write(received, b"through")
        os.close(received)
        assert os.read(reader, 10) == b"through"
        with pytest.raises(ChannelProtocolError):
            channel.take_fds(1)
    os.close(reader)


def test_a_channel_that_is_not_read_refuses_descriptors_and_lives() -> None:
    async def scenario() -> None:
        ours, theirs = socket.socketpair()
        ends: list[str] = []
        channel: AsyncChannel[messages.FromZygote] = AsyncChannel(
            ours, messages.FromZygote, on_message=lambda _message: None, on_closed=ends.append
        )

        def fill() -> None:
            for token in range(10_000):
                channel.send(messages.Fork(token=token), [theirs.fileno()])

        with theirs, pytest.raises(ChannelBusyError):
            fill()
        assert (channel.closed, ends) == (False, [])
        channel.close()

    asyncio.run(scenario())


@given(st.lists(st.text(max_size=40), max_size=6), st.integers(1, 50))
def test_frames_may_be_cut_anywhere(traces: list[str], piece: int) -> None:
    sent = [StateChanged(state="FAILED", trace=trace) for trace in traces]
    stream = b"".join(map(encode_frame, sent))
    decoder: FrameDecoder[FromHost] = FrameDecoder(FromHost)
    received = [m for at in range(0, len(stream), piece) for m in decoder.feed(stream[at : at + piece])]
    assert received == sent
