"""Films of any length, frame by frame: GIF and WebP by Pillow, MP4 by PyAV where it is installed. Axis: H W pixels.

Every writer takes an iterator and keeps one frame (and what its encoder looks ahead): memory does not grow with the length.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import GifImagePlugin, Image

from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically

Frame = UInt8[np.ndarray, "H W 3"]
KINDS = ("gif", "webp", "mp4")
EXTRA = 'MP4 needs PyAV: pip install "tightrope[video]"; GIF and WebP need nothing more.'
ENCODERS = ("libx264", "libopenh264", "libvpx-vp9", "mpeg4")  # the first that this build of FFmpeg has
QUALITY = 18  # constant rate factor; lower is better and larger, 18 looks like the source


def require(kind: str) -> None:
    """Refuse a kind of film that cannot be written here, before anything is made for it.

    Raises:
        InputError: the kind is unknown, or needs an extra that is not installed.
    """
    if kind not in KINDS:
        raise InputError(f"--movie {kind}: films are {', '.join(KINDS)}.")
    if kind == "mp4":
        _av()


def write(file: str | Path, frames: Iterable[Frame], *, count: int, rate: int = 25) -> None:
    """Write `count` frames, `rate` a second, as the suffix of `file` says; GIF and WebP play again and again.

    Raises:
        InputError: see `require`; or there is no frame.
    """
    path = Path(file)
    kind = path.suffix.removeprefix(".").lower()
    require(kind)
    if count < 1:
        raise InputError(f"{path}: a film of no frames; ask for one at least.")
    shown = _counted(path, frames, count)
    write_atomically(path, lambda partial: WRITERS[kind](partial, shown, count, rate))


def enlarged(frame: Frame, factor: int) -> Frame:
    """Every pixel `factor` times as wide and high."""
    return frame if factor == 1 else frame.repeat(factor, 0).repeat(factor, 1)


def _counted(path: Path, frames: Iterable[Frame], count: int) -> Iterator[Frame]:
    made = 0
    for made, frame in enumerate(itertools.islice(frames, count), 1):  # noqa: B007
        yield frame
    if made < count:
        raise InputError(f"{path}: {count} frames were announced and {made} came.")


def _gif(path: Path, frames: Iterator[Frame], count: int, rate: int) -> None:
    """Each frame with its own 256 colours; Pillow's own writer of many frames would hold them all."""
    pause = max(2, round(100 / rate)) * 10  # milliseconds; players show less than 20 as 100
    with open(path, "wb") as file:
        for index, frame in enumerate(frames):
            image = _indexed(frame)
            if index == 0:
                file.writelines(GifImagePlugin.getheader(image, info={"loop": 0, "duration": pause})[0])
            file.writelines(GifImagePlugin.getdata(image, duration=pause, include_color_table=True))
        file.write(b";")


def _indexed(frame: Frame) -> Image.Image:
    """256 colours that fit the frame; greys stay as they are."""
    if (frame == frame[..., :1]).all():
        return Image.fromarray(np.ascontiguousarray(frame[..., 0])).convert("P")
    return Image.fromarray(frame).quantize(256, dither=Image.Dither.NONE)


class _Reel(Image.Image):
    """An image of many frames of which each is fetched when it is sought."""

    def __init__(self, frames: Iterator[Frame], count: int) -> None:
        super().__init__()
        self._frames, self.n_frames, self._place = frames, count, -1
        self.seek(0)

    def seek(self, frame: int) -> None:
        if frame == self._place + 1 < self.n_frames:
            shown = Image.fromarray(next(self._frames))
            self.im, self._mode, self._size, self._place = shown.im, shown.mode, shown.size, frame

    def tell(self) -> int:
        return self._place


def _webp(path: Path, frames: Iterator[Frame], count: int, rate: int) -> None:
    _Reel(frames, count).save(path, "WEBP", save_all=True, duration=round(1000 / rate), loop=0, quality=90, method=2)


def _mp4(path: Path, frames: Iterator[Frame], count: int, rate: int) -> None:
    av = _av()
    encoder = next(name for name in ENCODERS if name in av.codecs_available)
    first = next(frames)
    height, width = (side + side % 2 for side in first.shape[:2])  # colour is stored at half the resolution
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as file:
        stream = file.add_stream(encoder, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.options = {"crf": str(QUALITY)} if encoder == "libx264" else {}
        for frame in itertools.chain([first], frames):
            margin = [(0, height - frame.shape[0]), (0, width - frame.shape[1]), (0, 0)]
            picture = np.ascontiguousarray(np.pad(frame, margin, constant_values=255))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise InputError(EXTRA) from error
    return av


WRITERS = {"gif": _gif, "webp": _webp, "mp4": _mp4}
