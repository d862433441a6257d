"""One image file -> one square of pixels, or the reason why not.

Rules: the first frame; EXIF orientation applied; transparency over white; 16-bit and float brought to 8 bits; the centre
square, its side scaled by Lanczos with antialiasing (JPEG is first reduced inside its decoder, to no less than twice the
side). H W are the side, pixels are (H, W, 3).
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import threading
import warnings
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from tightrope.data.sources import Unusable

SMALLEST = 8  # pixels of the shorter side
MOST_PIXELS = 89_478_485  # Pillow's own limit: a quarter of a gigabyte of RGB
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "TIFF", "GIF")  # never EPS, which runs a program
_LARGE_PIXELS = 1 << 24
_LARGE = threading.Semaphore(1)  # images above _LARGE_PIXELS are decoded one at a time, which bounds the memory
_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = frozenset(_TURN[number] for number in (5, 6, 7, 8))


@dataclasses.dataclass(frozen=True, slots=True)
class Square:
    """What came out, and what the file was, turned as EXIF says."""

    pixels: np.ndarray
    width: int
    height: int
    kind: str


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Pillow's remarks on odd metadata are not for the user; its warning of a decompression bomb is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def measure(file: BinaryIO) -> tuple[int, int]:
    """Width and height as the header says; raises Unusable."""
    with reasons(), Image.open(file, formats=FORMATS) as image:
        return image.size


@contextlib.contextmanager
def checked(file: BinaryIO) -> Iterator[Image.Image]:
    """The picture of a file, not decoded yet, of a size that is decoded; raises Unusable. Large ones come one at a time."""
    with reasons(), Image.open(file, formats=FORMATS) as image:
        width, height = image.size
        if min(width, height) < SMALLEST:
            raise Unusable(f"{width}x{height} pixels; at least {SMALLEST}x{SMALLEST} are needed")
        if width * height > MOST_PIXELS:
            raise Unusable(_bomb(f"{width}x{height} pixels"))
        with _LARGE if width * height > _LARGE_PIXELS else contextlib.nullcontext():
            yield image


def decode(file: BinaryIO, side: int) -> Square:
    """Decode one file to a square; raises Unusable."""
    with checked(file) as image:
        width, height = image.size
        image.draft(image.mode, (2 * side, 2 * side))
        kind = f"{image.format} {image.mode}"
        image.load()
        pixels = square(eight_bits(image), side)
        turn = _TURN.get(image.getexif().get(0x0112, 1))
        if turn is not None:  # turning the centre square is turning the picture, and far cheaper
            pixels = pixels.transpose(turn)
        width, height = (height, width) if turn in _ON_ITS_SIDE else (width, height)
        return Square(np.asarray(pixels.convert("RGB")), width, height, kind)


def whole(image: Image.Image) -> Image.Image:
    """All of a picture in RGB, turned as EXIF says."""
    turn = _TURN.get(image.getexif().get(0x0112, 1))
    upright = eight_bits(image).convert("RGB")
    return upright if turn is None else upright.transpose(turn)


def _bomb(what: str) -> str:
    return f"{what}; at most {MOST_PIXELS / 1e6:.0f} million are decoded (a decompression bomb?)"


@contextlib.contextmanager
def reasons() -> Iterator[None]:
    """Turn whatever Pillow raises into one line."""
    try:
        yield
    except Unusable:
        raise
    except UnidentifiedImageError as error:
        raise Unusable("not an image of a known format, or its beginning is damaged") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unusable(_bomb("too many pixels")) from error
    except Exception as error:  # decoders raise OSError, ValueError, SyntaxError, struct.error and more on damaged files
        text = re.sub(r"<[^>]*>|\s+", " ", str(error)).strip()[:120]
        raise Unusable(f"cannot be decoded ({text or type(error).__name__})") from error


def eight_bits(image: Image.Image) -> Image.Image:
    """Any mode -> L or RGB, transparency over white."""
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith("I") or image.mode == "F":
        return _from_deep(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _from_deep(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float grey. Floats are read as 0..1, or as 0..255 when they exceed 1."""
    values = np.asarray(image)
    if values.dtype == bool or not np.isfinite(values).all():
        raise Unusable("holds values that are not finite")
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I;16"):
        full = 65535.0
    elif image.mode == "F":
        full = 1.0 if high <= 1 else 255.0
    else:
        full = 255.0 if high <= 255 else 65535.0
    if low < 0 or high > full:
        raise Unusable(f"values from {low:g} to {high:g}; expected 0 to {full:g}")
    return Image.fromarray(np.rint(values * np.float64(255.0 / full)).astype(np.uint8))


def square(image: Image.Image, side: int) -> Image.Image:
    """The centre square, scaled to `side`."""
    width, height = image.size
    if width == height == side:
        return image
    edge = min(width, height)
    box = ((width - edge) / 2, (height - edge) / 2, (width + edge) / 2, (height + edge) / 2)
    return image.resize((side, side), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
