"""Pictures of the user's as a generator's samples are: found, decoded, and brought to its size. Axes: C channels, H W pixels."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.spec import DataSpec
from tightrope.data.catalog import IMAGE_SUFFIXES, SHEETS
from tightrope.data.decode import decode, quiet
from tightrope.data.sources import Unusable


@dataclasses.dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        path: its file.
        name: of what is written about it; different for each picture.
        sha256: of the file.
    """

    path: Path
    name: str
    sha256: str


def find(places: Sequence[Path]) -> list[Picture]:
    """The files named, and those with an image's suffix in the folders named, each once.

    Raises:
        InputError: a folder without pictures.
    """
    files: list[Path] = []
    for place in places:
        inside = [p for p in sorted(place.iterdir()) if p.suffix.lower() in IMAGE_SUFFIXES] if place.is_dir() else [place]
        if not inside:
            raise InputError(f"{place}: no pictures in it; name image files, or a folder of them.")
        files += [file for file in inside if not place.is_dir() or file.name not in SHEETS]
    found: list[Picture] = []
    taken: set[str] = set()
    for file in dict.fromkeys(files):
        names = itertools.chain([file.stem], (f"{file.stem}-{k}" for k in itertools.count(2)))
        name = next(name for name in names if name not in taken)
        taken.add(name)
        found.append(Picture(file, name, hashlib.sha256(file.read_bytes()).hexdigest()))
    return found


def read(picture: Picture, spec: DataSpec) -> tuple[Float[Tensor, "C H W"], str | None]:
    """The picture in [-1, 1] as a sample of the generator, and what was done to it, None for nothing.

    Raises:
        InputError: the file is no picture.
    """
    side = spec.size
    try:
        with quiet(), open(picture.path, "rb") as file:
            square = decode(file, side)
    except Unusable as error:
        raise InputError(f"{picture.path}: {error}; name a picture (PNG, JPEG, WebP, BMP, TIFF or GIF).") from error
    image = Image.fromarray(square.pixels)
    pixels = torch.frombuffer(bytearray(image.convert("L" if spec.channels == 1 else "RGB").tobytes()), dtype=torch.uint8)
    sample = pixels.view(side, side, spec.channels).permute(2, 0, 1) / 127.5 - 1
    if (square.width, square.height) == (side, side):
        return sample, None
    cut = "" if square.width == square.height else "its centre square was "
    return sample, f"{picture.path.name}: {square.width}x{square.height} pixels; {cut}brought to the generator's {side}x{side}."
