import hashlib
import inspect
import random

import numpy as np
import pytest
from aiortc import RTCRtpReceiver, RTCRtpSender
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket

from rotolive.stream.webrtc.jitter import PATIENCE_S, MarkerJitterBuffer, TimedFrame, known_aiortc
from rotolive.stream.webrtc.receive import MAX_UNDECODED, DecoderQueue, is_keyframe


def packet(seq: int, timestamp: int, data: bytes, marker: int = 0) -> RtpPacket:
    made = RtpPacket(
        payload_type=96, sequence_number=seq % 65536, timestamp=timestamp, marker=marker
    )
    made._data = data  # type: ignore[attr-defined]
    return made


def stream(frames: int, per_frame: int = 3, first: int = 65500) -> list[RtpPacket]:
    return [
        packet(
            first + i * per_frame + j, i * 3000, bytes([i % 256, j]), marker=int(j == per_frame - 1)
        )
        for i in range(frames)
        for j in range(per_frame)
    ]


def whole(i: int, per_frame: int = 3) -> bytes:
    return b"".join(bytes([i % 256, j]) for j in range(per_frame))


def feed(buffer: MarkerJitterBuffer, packets: list[RtpPacket]) -> list[bytes]:
    return [data for one in packets for data in drained(buffer, buffer.add(one)[1])]


def drained(buffer: MarkerJitterBuffer, frame: JitterFrame | None) -> list[bytes]:
    found = []
    while frame is not None:
        found.append(frame.data)
        frame = buffer._remove_frame(0)
    return found


def test_a_frame_is_complete_with_its_marker() -> None:
    buffer = MarkerJitterBuffer()
    for i, one in enumerate(stream(20)):
        _, frame = buffer.add(one)
        assert (frame is not None) == bool(one.marker)
        assert frame is None or frame.data == whole(i // 3)


def test_a_frame_knows_when_it_began_to_come() -> None:
    now = [10.0]
    buffer = MarkerJitterBuffer(clock=lambda: now[0])
    first, lost, last = stream(1)
    buffer.add(packet(first.sequence_number - 1, 90_000, b"x", marker=1))
    now[0] = 10.5
    buffer.add(first)
    now[0] = 10.6
    buffer.add(last)
    now[0] = 10.7
    _, frame = buffer.add(lost)
    assert isinstance(frame, TimedFrame) and frame.began_ns == 10_500_000_000
    asked = DecoderQueue(lambda: None, lambda: None)
    asked.put((Codec, frame))
    began, whole_ns = asked.arrival(frame.timestamp) or (0, 0)
    assert began == frame.began_ns and whole_ns > 0


def test_reordered_packets_give_every_frame_once_and_in_order() -> None:
    packets = stream(200)
    rng = random.Random(1)
    order = sorted(range(1, len(packets)), key=lambda i: i + rng.uniform(0, 8))
    shuffled = [packets[0]] + [packets[i] for i in order]
    assert feed(MarkerJitterBuffer(), shuffled) == [whole(i) for i in range(200)]


@pytest.mark.parametrize("seed", range(20))
def test_what_it_does_not_look_at_makes_no_difference(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost, repeated, late, unmarked, empty packets of frames of any size."""
    rng = random.Random(seed)
    packets, number = [], 65000
    for i in range(150):
        size = rng.choice((1, 2, 5, 40))
        for j in range(size):
            data = b"" if rng.random() < 0.02 else bytes([i, j])
            marker = int(j == size - 1 and rng.random() < 0.9)
            packets.append((number + rng.expovariate(0.5), packet(number, i * 3000, data, marker)))
            number += 1
    sent = [one for one in packets if rng.random() > 0.03] + rng.sample(packets, 30)
    order = [one for _, one in sorted(sent, key=lambda pair: pair[0])]

    def play() -> list[tuple[bool, bytes]]:
        now = 0.0
        buffer, out = MarkerJitterBuffer(lambda: now), []
        for one in order:
            now += 0.01
            wanted, frame = buffer.add(one)
            out.append((wanted, b"|".join(drained(buffer, frame))))
        return out

    quick = play()
    monkeypatch.setattr(MarkerJitterBuffer, "_only_grows_a_frame", lambda *_: False)
    assert quick == play()
    assert sum(data != b"" for _, data in quick) > 20


def test_large_frames_are_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0
    at = MarkerJitterBuffer._at

    def counting(buffer: MarkerJitterBuffer, offset: int) -> RtpPacket | None:
        nonlocal looked
        looked += 1
        return at(buffer, offset)

    monkeypatch.setattr(MarkerJitterBuffer, "_at", counting)
    assert len(feed(MarkerJitterBuffer(), stream(10, per_frame=100))) == 10
    assert looked < 5 * 10 * 100


def test_a_packet_sent_again_releases_what_waited_behind_it() -> None:
    packets = stream(6)
    late = packets.pop(4)
    buffer = MarkerJitterBuffer()
    assert feed(buffer, packets) == [whole(0)]
    assert feed(buffer, [late]) == [whole(i) for i in range(1, 6)]


def test_a_lost_marker_bit_falls_back_to_the_timestamp() -> None:
    packets = stream(3)
    packets[2].marker = 0
    buffer = MarkerJitterBuffer()
    assert feed(buffer, packets[:3]) == []
    assert feed(buffer, packets[3:]) == [whole(0), whole(1), whole(2)]


def test_padding_makes_no_frames() -> None:
    packets: list[RtpPacket] = []
    for i in range(10):
        packets.append(packet(3 * i, i * 3000, bytes([i]), marker=1))
        packets += [packet(3 * i + j, i * 3000, b"") for j in (1, 2)]
    assert feed(MarkerJitterBuffer(), packets) == [bytes([i]) for i in range(10)]


def test_a_packet_that_never_comes_is_given_up_and_a_keyframe_asked_for() -> None:
    now = 0.0
    buffer = MarkerJitterBuffer(clock=lambda: now)
    asked, frames = 0.0, []
    for one in stream(60):
        if one.sequence_number == (65500 + 31) % 65536:
            continue
        now += 1 / 90
        wanted, frame = buffer.add(one)
        while frame is not None:
            frames.append(frame.data[0])
            frame = buffer._remove_frame(0)
        asked = now if wanted else asked
    assert asked == pytest.approx(31 / 90 + PATIENCE_S, abs=0.1)
    assert frames == [i for i in range(60) if i != 10]


def test_random_loss_never_mixes_frames() -> None:
    rng = random.Random(3)
    now = 0.0
    buffer = MarkerJitterBuffer(clock=lambda: now)
    seen = []
    for one in stream(2000):
        now += 1 / 90
        if rng.random() < 0.02:
            continue
        for data in feed(buffer, [one]):
            assert data[::2] == bytes([data[0]]) * (len(data) // 2)
            seen.append(data)
    assert len(seen) > 800


def test_a_jump_of_sequence_numbers_starts_again() -> None:
    buffer = MarkerJitterBuffer()
    feed(buffer, stream(5))
    assert feed(buffer, stream(5, first=20000))[-1] == whole(4)


class Codec:
    name = "VP8"


class Encoded:
    def __init__(self, timestamp: int, data: bytes) -> None:
        self.timestamp = timestamp
        self.data = data


def test_a_slow_decoder_skips_to_a_keyframe() -> None:
    asked: list[int] = []
    frames = DecoderQueue(lambda: None, lambda: asked.append(1))
    for i in range(100):
        frames.put((Codec, Encoded(i, b"\x01")))
    assert frames.qsize() == MAX_UNDECODED
    assert asked
    for _ in range(10):
        frames.get_nowait()
    frames.put((Codec, Encoded(200, b"\x01")))
    assert frames.qsize() == MAX_UNDECODED - 10
    frames.put((Codec, Encoded(201, b"\x00")))
    assert frames.qsize() == MAX_UNDECODED - 9
    assert frames.arrival(201)
    assert frames.arrival(200) is None


def test_keyframes_are_known_by_their_bytes() -> None:
    assert is_keyframe("VP8", b"\x10") and not is_keyframe("VP8", b"\x11")
    assert is_keyframe("H264", b"\0\0\0\1\x67") and not is_keyframe("H264", b"\0\0\0\1\x41")
    assert not is_keyframe("H264", b"") and not is_keyframe("VP8", b"")


# The sources this package reaches into. When one changes, read it again, then correct the digest.
KNOWN = {
    JitterBuffer: "17030fbb0982258d",
    RTCRtpReceiver: "9a485e6f515fc0cd",
    RTCRtpSender: "57274ec81025a272",
}


@pytest.mark.parametrize("upstream", KNOWN, ids=lambda c: c.__name__)
def test_upstream_is_as_we_know_it(upstream: type) -> None:
    assert known_aiortc()
    source = inspect.getsource(upstream)
    assert hashlib.sha256(source.encode()).hexdigest()[:16] == KNOWN[upstream]


def test_planes_view_a_decoded_picture() -> None:
    from av import VideoFrame

    from rotolive.stream.webrtc.receive import planes_of

    rgb = np.full((36, 50, 3), (200, 100, 50), np.uint8)
    planes = planes_of(VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p"))
    assert planes["y"].shape == (36, 50)
    assert planes["u"].shape == planes["v"].shape == (18, 25)
