"""Films: every frame, the rate and the sound."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tightrope import translate
from tightrope.core.errors import InputError
from tightrope.core.translation import Translator

av = pytest.importorskip("av")
FRAMES, RATE = 12, 24


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A bright square that moves, and a tone."""
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as file:
        shown, heard = file.add_stream("mpeg4", rate=RATE), file.add_stream("aac", rate=44_100)
        shown.width, shown.height, shown.pix_fmt = 48, 32, "yuv420p"
        tone = np.sin(np.arange(22_050) / 20).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate = 44_100
        file.mux(heard.encode(frame))
        for k in range(FRAMES):
            pixels = np.full((32, 48, 3), 60, np.uint8)
            pixels[8:24, 3 * k : 3 * k + 12] = 220
            file.mux(shown.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(shown.encode())
        file.mux(heard.encode())
    return path


def test_every_frame_the_rate_and_the_sound(film: Path, tmp_path: Path, network: Callable[..., Translator]) -> None:
    net, told = network("srvgg"), []
    translate.files(net, [film], tmp_path / "large.mp4", None, lambda *progress: told.append(progress))
    with av.open(str(film)) as given, av.open(str(tmp_path / "large.mp4")) as made:
        frames = [[frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)] for file in (given, made)]
        assert made.streams.video[0].average_rate == RATE
    assert len(frames[0]) == len(frames[1]) == FRAMES and told[-1] == (FRAMES, FRAMES)
    for before, after in zip(*frames, strict=True):
        expected = translate.array(net, before)
        assert after.shape == expected.shape == (64, 96, 3)
        assert np.abs(after.astype(int).mean(2) - expected.mean(2)).mean() < 8  # what the encoder loses
    with av.open(str(tmp_path / "large.mp4")) as made:
        assert sum(frame.samples for frame in made.decode(audio=0)) >= 22_050


def test_a_film_of_a_telephone_is_turned(film: Path, tmp_path: Path, network: Callable[..., Translator]) -> None:
    content = bytearray(film.read_bytes())
    place = content.index(b"tkhd") + 44  # of the matrix; x' = a x + c y, y' = b x + d y with a, b, c, d = 0, 1, -1, 0: clockwise
    for k, value in zip((0, 1, 3, 4), (0, 1, -1, 0), strict=True):
        struct.pack_into(">i", content, place + 4 * k, value << 16)
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(content)
    net = network("srvgg")
    translate.files(net, [turned], tmp_path / "large.mp4")
    with av.open(str(film)) as given, av.open(str(tmp_path / "large.mp4")) as made:
        before, after = (next(iter(file.decode(video=0))).to_ndarray(format="rgb24") for file in (given, made))
    expected = translate.array(net, np.ascontiguousarray(np.rot90(before, -1)))
    assert after.shape == expected.shape == (96, 64, 3)
    assert np.abs(after.astype(int).mean(2) - expected.mean(2)).mean() < 8


def test_what_is_no_film(tmp_path: Path, network: Callable[..., Translator]) -> None:
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be decoded as a film"):
        translate.files(network("srvgg"), [tmp_path / "a.mp4"], tmp_path / "b.mp4")
    with av.open(str(tmp_path / "c.mp4"), "w") as file:
        sound = file.add_stream("aac", rate=44_100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44_100
        file.mux(sound.encode(frame))
        file.mux(sound.encode())
    with pytest.raises(InputError, match="has no pictures in it"):
        translate.files(network("srvgg"), [tmp_path / "c.mp4"], tmp_path / "d.mp4")
    assert not list(tmp_path.glob("[bd].mp4*"))


def test_a_film_without_frames(film: Path, tmp_path: Path, network: Callable[..., Translator]) -> None:
    empty = tmp_path / "empty.mkv"
    with av.open(str(film)) as given, av.open(str(empty), "w") as file:
        file.add_stream_from_template(given.streams.video[0])
        sound = file.add_stream_from_template(given.streams.audio[0])
        for packet in given.demux(given.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = sound
                file.mux(packet)
    with pytest.raises(InputError, match="is a film without frames; name another"):
        translate.files(network("srvgg"), [empty], tmp_path / "large.mp4")
    assert not list(tmp_path.glob("large*"))
