"""Films, frame by frame, by PyAV where it is installed; sound is handed on as it is. Axes: H W pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically
from tightrope.core.translation import Translator
from tightrope.explore.movies import ENCODERS, QUALITY
from tightrope.translate.picture import Picture
from tightrope.translate.pixels import Work

FILMS = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"})
ENDING = ".mp4"  # what is written
EXTRA = 'films need PyAV: pip install "tightrope[video]"; pictures need nothing more.'
Tell = Callable[[int, int], None]


def translate(network: Translator, source: Path, target: Path, tile: int | None, overlap: int | None, tell: Tell | None) -> None:
    """Write `source` translated, as MP4 at the same rate.

    Raises:
        InputError: PyAV is not installed, or the file is no film or has no frames.
    """
    av = _av()
    try:
        with av.open(str(source)) as given:
            if not given.streams.video:
                raise InputError(f"{source}: has no pictures in it; name a film.")
            pass_on = _Frames(network, given.streams.video[0].frames, tile, overlap, tell)
            write_atomically(target, lambda partial: _copy(av, given, partial, pass_on))
    except av.FFmpegError as error:
        raise InputError(f"{source}: cannot be decoded as a film ({error.strerror}).") from error
    except _Empty:
        raise InputError(f"{source}: is a film without frames; name another.") from None


class _Empty(Exception):
    """No frame came."""


class _Frames:
    """Translates frame after frame."""

    def __init__(self, network: Translator, count: int, tile: int | None, overlap: int | None, tell: Tell | None) -> None:
        self.network, self.count, self.tell, self.done = network, count, tell, 0
        self.tile, self.overlap = tile, overlap

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        work = Work(self.network, Picture(pixels=frame), tile=self.tile, overlap=self.overlap)
        made = np.concatenate(list(work.bands()))
        self.done += 1
        if self.tell:
            self.tell(self.done, max(self.count, self.done))
        even = ((0, made.shape[0] % 2), (0, made.shape[1] % 2), (0, 0))  # colour is stored at half the resolution
        return np.ascontiguousarray(np.pad(np.broadcast_to(made, (*made.shape[:2], 3)), even, "edge"))


def _copy(av: Any, given: Any, path: Path, made: _Frames) -> None:
    shown, heard = given.streams.video[0], next(iter(given.streams.audio), None)
    name = next(name for name in ENCODERS if name in av.codecs_available)
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as file:
        stream = file.add_stream(name, rate=shown.average_rate or 25)
        stream.pix_fmt, stream.options = "yuv420p", {"crf": str(QUALITY)} if name == "libx264" else {}
        stream.codec_context.thread_count = 1
        sound = file.add_stream_from_template(heard) if heard is not None else None
        for packet in given.demux([part for part in (shown, heard) if part is not None]):
            if packet.stream is heard:
                if packet.dts is not None:
                    packet.stream = sound
                    file.mux(packet)
                continue
            for frame in packet.decode():
                upright = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)  # as telephones note it down
                pixels = made(np.ascontiguousarray(upright))
                if made.done == 1:
                    stream.height, stream.width = pixels.shape[:2]
                file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        if not made.done:
            raise _Empty
        file.mux(stream.encode())


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise InputError(EXTRA) from error
    return av
