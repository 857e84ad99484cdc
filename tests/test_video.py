"""Files in and out: sound, rotation, variable rate, and what is refused with which words."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from rotolive.model.errors import InputError
from rotolive.model.live import IdentityModel
from rotolive.model.video import TimedPicture, VideoReader, VideoWriter
from rotolive.stream.render import render


def make(
    path: Path,
    width: int = 64,
    height: int = 48,
    frames: int = 20,
    times=None,
    sound: int = 0,
    codec: str = "mpeg4",
    rate: int = 25,
    sound_codec: str = "aac",
) -> Path:  # type: ignore[no-untyped-def]
    """A short clip, left half bright, with `sound` blocks of 1024 samples at 8 kHz from time 0."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000) if times else Fraction(1, rate)
        audio = container.add_stream(sound_codec, rate=8000) if sound else None
        picture = np.zeros((height, width, 3), np.uint8)
        picture[:, : width // 2] = 220
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = (times[i] if times else i), stream.codec_context.time_base
            container.mux(stream.encode(frame))
        if audio is not None:
            kind = np.int16 if audio.format.name.startswith("s16") else np.float32
            for i in range(sound):
                tone = av.AudioFrame.from_ndarray(
                    np.zeros((1, 1024), kind), format=audio.format.name, layout="mono"
                )
                tone.sample_rate, tone.pts = 8000, 1024 * i
                container.mux(audio.encode(tone))
            container.mux(audio.encode())
        container.mux(stream.encode())
    return path


def streams(path: Path) -> list[str]:
    with av.open(str(path)) as container:
        return [stream.type for stream in container.streams]


def test_identity_render_keeps_pictures_times_and_sound(tmp_path: Path) -> None:
    source = make(
        tmp_path / "in.mp4", 96, 96, times=[i * 40 + (i % 2) * 15 for i in range(20)], sound=6
    )
    count = render(source, tmp_path / "out.mp4", IdentityModel(1))
    assert count == 20 and streams(tmp_path / "out.mp4") == ["video", "audio"]
    before, after = (list(VideoReader(path)) for path in (source, tmp_path / "out.mp4"))
    assert len(after) == 20 and after[0].rgb.shape == (256, 256, 3)
    assert after[0].rgb[:, :100].mean() > 180 > 60 > after[0].rgb[:, 150:].mean()
    gaps = [np.diff([p.time_s for p in pictures]) for pictures in (before, after)]
    assert np.allclose(*gaps, atol=2e-3) and gaps[0].std() > 0.005


@pytest.mark.parametrize("suffix", [".mkv", ".mov", ".webm"])
def test_other_containers(tmp_path: Path, suffix: str) -> None:
    source = make(tmp_path / "in.mp4", sound=6)
    assert render(source, tmp_path / f"out{suffix}", IdentityModel(1)) == 20
    assert len(list(VideoReader(tmp_path / f"out{suffix}"))) == 20


def starts(path: Path) -> tuple[float, float]:
    """When the pictures and the sound begin [s]."""
    with av.open(str(path)) as container:
        begin = {"video": np.inf, "audio": np.inf}
        for packet in container.demux():
            if packet.pts is not None:
                kind = packet.stream.type
                begin[kind] = min(begin[kind], float(packet.pts * packet.time_base))
    return begin["video"], begin["audio"]


@pytest.mark.parametrize("suffix", [".mp4", ".ts"])
def test_sound_stays_beside_pictures_that_do_not_start_at_0(tmp_path: Path, suffix: str) -> None:
    times = [500 + i * 40 for i in range(20)]
    source = make(tmp_path / f"in{suffix}", times=times, sound=10)
    render(source, tmp_path / "out.mkv", IdentityModel(1))
    (pictures, sound), (pictures_out, sound_out) = starts(source), starts(tmp_path / "out.mkv")
    assert pictures - sound > 0.4
    assert pictures_out - sound_out == pytest.approx(pictures - sound, abs=0.01)
    assert sound_out == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("tag", [b"DURATION", b"NOTATION"])
def test_pictures_shorter_than_their_sound_are_whole(tmp_path: Path, tag: bytes) -> None:
    source = make(tmp_path / "in.mkv", sound=80)
    source.write_bytes(source.read_bytes().replace(b"DURATION", tag))
    reader = VideoReader(source)
    assert reader.seconds == pytest.approx(0.8 if tag == b"DURATION" else 0, abs=0.15)
    assert len(list(reader)) == 20


def test_pictures_without_times_keep_their_pace(tmp_path: Path) -> None:
    source = make(tmp_path / "in.h264", codec="libx264", rate=30)
    assert np.allclose([p.time_s for p in VideoReader(source)], np.arange(20) / 30)


def test_sound_that_the_target_cannot_hold_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = make(tmp_path / "in.mkv", sound=6, sound_codec="flac")
    assert render(source, tmp_path / "out.mov", IdentityModel(1)) == 20
    assert streams(tmp_path / "out.mov") == ["video"]
    assert "a mov file cannot hold flac audio" in caplog.text


def test_odd_widths_are_fine(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "odd.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 101, 77, "bgr0"
        frame = av.VideoFrame.from_ndarray(np.zeros((77, 101, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert render(tmp_path / "odd.mkv", tmp_path / "out.mp4", IdentityModel(1)) == 1


def turn(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Write a rotation into the track header (ISO/IEC 14496-12, 8.3.2), as phones do."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    one = 1 << 16
    a, b, c, d = (value * one for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def test_phone_videos_stand_upright(tmp_path: Path) -> None:
    clockwise = turn(make(tmp_path / "cw.mp4"), (0, 1, -1, 0))
    rgb = next(iter(VideoReader(clockwise))).rgb
    assert rgb.shape == (64, 48, 3) and rgb[:24].mean() > 150 > 60 > rgb[40:].mean()
    over = turn(make(tmp_path / "over.mp4"), (-1, 0, 0, -1))
    rgb = next(iter(VideoReader(over))).rgb
    assert rgb.shape == (48, 64, 3) and rgb[:, 40:].mean() > 150 > 60 > rgb[:, :24].mean()


def refused(source: Path, target: Path, words: str) -> None:
    with pytest.raises(InputError, match=words):
        render(source, target, IdentityModel(1))
    assert not [p for p in target.parent.glob("*") if "out" in p.name], "something half-written"


def test_what_is_no_video_is_named(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("hello")
    refused(text, tmp_path / "out.mp4", r"a\.txt.*no video")
    refused(tmp_path / "none.mp4", tmp_path / "out.mp4", "no such file")


def test_truncated_files_are_named(tmp_path: Path) -> None:
    whole = make(tmp_path / "in.mkv", 128, 96, frames=200)
    cut = tmp_path / "cut.mp4"
    data = make(tmp_path / "in.mp4").read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    refused(cut, tmp_path / "out.mp4", "cut.mp4")
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    refused(cut, tmp_path / "out.mp4", "truncated|breaks off")


@pytest.mark.parametrize("size", [(2, 2), (4000, 10)])
def test_impossible_sizes_are_named(tmp_path: Path, size: tuple[int, int]) -> None:
    source = make(tmp_path / "in.mp4", *size, frames=1)
    refused(source, tmp_path / "out.mp4", f"{size[0]}x{size[1]}.*16 to 8192")


def test_targets_that_cannot_be(tmp_path: Path) -> None:
    source = make(tmp_path / "in.mp4")
    refused(source, tmp_path / "out.txt", r"\.mp4, \.mov")
    with pytest.raises(InputError, match="no folder"):
        render(source, tmp_path / "no" / "out.mp4", IdentityModel(1))
    with pytest.raises(InputError, match="no style 9"):
        render(source, tmp_path / "out.mp4", IdentityModel(1), style=9)


def test_the_input_is_never_replaced(tmp_path: Path) -> None:
    source = make(tmp_path / "in.mp4")
    (tmp_path / "link.mp4").symlink_to(source)
    before = source.read_bytes()
    for target in (source, tmp_path / "link.mp4"):
        with pytest.raises(InputError, match="is the input"):
            render(source, target, IdentityModel(1))
    assert source.read_bytes() == before


def test_a_disk_that_is_full_is_named(tmp_path: Path) -> None:
    source = make(tmp_path / "in.mp4")
    (tmp_path / ".out.part.mkv").symlink_to("/dev/full")
    refused(source, tmp_path / "out.mkv", r"out\.mkv cannot be written: .*No space")


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), VideoWriter(tmp_path / "x.mp4", 64, 48, 30) as writer:
        writer.write(TimedPicture(rgb=np.zeros((48, 64, 3), np.uint8), time_s=0))
        raise RuntimeError
    assert not list(tmp_path.iterdir())
