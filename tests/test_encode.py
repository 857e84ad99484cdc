"""Encoders: what they say is in the packets is, at the bitrate asked for."""

from fractions import Fraction

import av
import pytest
from aiortc import RTCRtpCodecParameters
from aiortc.codecs import depayload, get_decoder
from aiortc.jitterbuffer import JitterFrame

from rotolive.stream.sources import moving_texture
from rotolive.stream.webrtc.encode import Encoding, bitrate_for, make_encoder
from rotolive.stream.webrtc.receive import is_keyframe


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_the_bitrate_stays_put_so_that_the_encoder_does(codec: str) -> None:
    codecs = []
    encoder = make_encoder(codec, Encoding())
    picture = av.VideoFrame(256, 256, "yuv420p")
    for i, estimate in enumerate((100_000, 900_000, 5_000_000)):
        encoder.target_bitrate = estimate
        picture.pts, picture.time_base = i * 3000, Fraction(1, 90000)
        encoder.encode(picture)
        codecs.append(encoder.codec)
    assert codecs[0] is codecs[1] is codecs[2]
    assert codecs[0] and codecs[0].bit_rate == 1_500_000
    assert bitrate_for(256, 256) == 1_500_000 < bitrate_for(512, 512) < 6_000_000


@pytest.mark.parametrize("codec", ["VP8", "H264"])
@pytest.mark.parametrize("size", [(256, 256), (1280, 720), (2048, 1024)])
def test_what_is_encoded_is_the_picture_at_the_bitrate_asked_for(
    codec: str, size: tuple[int, int]
) -> None:
    bitrate = 2_000_000
    encoder = make_encoder(codec, Encoding(bitrate=bitrate))
    decoder = get_decoder(encoder_kind(codec))
    texture = moving_texture(*size, frames=10)
    sent, back = 0, []
    for i in range(20):
        picture = av.VideoFrame.from_ndarray(next(texture), format="rgb24")
        picture = picture.reformat(format="yuv420p")
        picture.pts, picture.time_base = i * 3000, Fraction(1, 90000)
        payloads, timestamp = encoder.encode(picture, i == 10)
        assert max(map(len, payloads)) <= 1300
        sent += sum(map(len, payloads))
        data = b"".join(depayload(encoder_kind(codec), payload) for payload in payloads)
        assert is_keyframe(codec, data) == (i in (0, 10))
        back += decoder.decode(JitterFrame(data=data, timestamp=timestamp))
    assert len(back) >= 19 and (back[-1].width, back[-1].height) == size
    assert sent * 8 * 30 / 20 < 4 * bitrate


def test_h264_without_nvenc_is_encoded_by_x264_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By FFmpeg's own error, anywhere: this size is too small for NVENC where there is one."""
    caplog.set_level("INFO")
    encoder = make_encoder("H264", Encoding())
    picture = av.VideoFrame(32, 32, "yuv420p")
    picture.pts, picture.time_base = 0, Fraction(1, 90000)
    payloads, _ = encoder.encode(picture)
    assert payloads and encoder.codec.name == "libx264"
    assert "h264_nvenc" in caplog.text and "x264, as NVENC is not to be had" in caplog.text
    caplog.clear()
    plain = make_encoder("H264", Encoding(hardware=False))
    plain.encode(picture)
    assert plain.codec.name == "libx264" and "NVENC" not in caplog.text


def test_what_is_set_outweighs_what_the_size_says() -> None:
    encoder = make_encoder("VP8", Encoding())
    encoder.bitrate = 300_000
    picture = av.VideoFrame(256, 256, "yuv420p")
    picture.pts, picture.time_base = 0, Fraction(1, 90000)
    encoder.encode(picture)
    assert encoder.codec and encoder.codec.bit_rate == 300_000


def test_another_size_gets_another_encoder() -> None:
    encoder = make_encoder("VP8", Encoding())
    for i, width in enumerate((256, 256, 512)):
        picture = av.VideoFrame(width, 256, "yuv420p")
        picture.pts, picture.time_base = i * 3000, Fraction(1, 90000)
        payloads, _ = encoder.encode(picture)
        assert payloads and encoder.codec.width == width


def encoder_kind(codec: str) -> RTCRtpCodecParameters:
    return RTCRtpCodecParameters(mimeType=f"video/{codec}", clockRate=90000, payloadType=96)
