"""A picture through a network, window by window, band by band. Axes: N windows, C channels, H W pixels, s scale, h w a window's.

Only the input, a band of the result and one batch of windows are in memory, whatever the size of the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.translation import Translator
from tightrope.translate import steady, tiles
from tightrope.translate.picture import Picture
from tightrope.translate.tiles import Cut, Plan

GREY = (0.299, 0.587, 0.114)  # of red, green and blue in lightness, ITU-R BT.601
Tell = Callable[[int, int], None]


class Work:
    """One picture to be translated.

    Args:
        tile, overlap: see `tiles.plan`; the tile None is as large as memory allows.
        deep: the result has 16 bits, not 8.
    """

    def __init__(
        self, network: Translator, picture: Picture, *, tile: int | None = None, overlap: int | None = None, deep: bool = False
    ) -> None:
        self.network, self.picture, self.deep = network, picture, deep
        self.pixels = _padded(_with_channels(picture.pixels, network), network)
        asked = tile if tile is not None else _fitting(network, *self.pixels.shape[:2])
        self.plan: Plan = tiles.plan(network, *self.pixels.shape[:2], tile=asked, overlap=overlap)
        self.batch = max(1, tiles.BATCH // (self.plan.height * self.plan.width))

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the result."""
        return self.picture.size[0] * self.network.scale, self.picture.size[1] * self.network.scale

    @property
    def channels(self) -> int:
        """Of the result, without alpha."""
        grey = self.picture.pixels.shape[2] == 1 and self.network.restores
        return 1 if grey or self.network.outputs == 1 else 3

    def bands(self, tell: Tell | None = None) -> Iterator[np.ndarray]:
        """The result from top to bottom, (some, s W, channels and alpha), as many lines at once as come out together."""
        parted = self.network.whole and self.plan.count > 1
        with steady.held(self.network, self.pixels, self._given) if parted else nullcontext():
            yield from self._bands(tell)

    def _bands(self, tell: Tell | None) -> Iterator[np.ndarray]:
        done, height = 0, self.size[0]
        kind, scale = (np.uint16 if self.deep else np.uint8), self.network.scale
        for row in self.plan.rows:
            lines = slice(row.first * scale, min(row.last * scale, height))
            band = np.empty((max(0, lines.stop - lines.start), self.size[1], self.channels), kind)
            for k in range(0, len(self.plan.columns), self.batch):
                columns = self.plan.columns[k : k + self.batch]
                self._place(band, row, columns)
                done += len(columns)
                if tell:
                    tell(done, self.plan.count)
            if len(band):  # what was added below the picture may fill a band of its own
                yield band if self.picture.alpha is None else np.concatenate([band, self._alpha(lines)], 2)

    def _place(self, band: np.ndarray, row: Cut, columns: tuple[Cut, ...]) -> None:
        """Translate windows beside each other and put what is used of them into the band."""
        scale, (tall, wide) = self.network.scale, (self.plan.height, self.plan.width)
        given = [self.pixels[row.start : row.start + tall, c.start : c.start + wide] for c in columns]
        top = (row.first - row.start) * scale
        for column, made in zip(columns, self._made(np.stack(given)), strict=True):
            left, first = (column.first - column.start) * scale, column.first * scale
            width = min(column.last * scale, band.shape[1]) - first
            if width > 0:
                band[:, first : first + width] = made[top : top + len(band), left : left + width]

    @torch.inference_mode()
    def _made(self, given: np.ndarray) -> np.ndarray:
        """The network's results for windows (N, h, w, C), as numbers of the result's kind."""
        dark = self.network.darkest
        y = self.network.net(self._given(given)).float()
        y = y.clamp_(dark, 1).sub_(dark).mul_((65535 if self.deep else 255) / (1 - dark))
        if self.channels < y.shape[1]:
            y = _lightness(y)
        whole = y.round_().permute(0, 2, 3, 1).cpu().numpy()
        return whole.astype(np.uint16 if self.deep else np.uint8)

    def _given(self, given: np.ndarray) -> Float[Tensor, "N C h w"]:
        """Windows (N, h, w, C) as the network takes them."""
        full, dark = float(np.iinfo(given.dtype).max), self.network.darkest
        x = torch.from_numpy(given.astype(np.float32)).mul_((1 - dark) / full).add_(dark)
        return x.permute(0, 3, 1, 2).to(tiles.device_of(self.network))

    def _alpha(self, lines: slice) -> np.ndarray:
        """Lines of the alpha channel at the result's size, (some, s W, 1)."""
        alpha = self.picture.alpha
        assert alpha is not None
        full, scale = np.iinfo(alpha.dtype).max, self.network.scale
        wanted = 65535 if self.deep else 255
        if scale > 1:
            shown = Image.fromarray(alpha if full == 255 else alpha.astype(np.float32))
            box = (0, lines.start / scale, alpha.shape[1], lines.stop / scale)  # it looks beyond the box
            alpha = np.asarray(shown.resize((self.size[1], lines.stop - lines.start), Image.Resampling.BICUBIC, box))
        else:
            alpha = alpha[lines]
        if alpha.dtype == np.float32 or wanted != full:
            alpha = np.rint(np.clip(alpha.astype(np.float32), 0, full) * (wanted / full))
        return alpha.astype(np.uint16 if self.deep else np.uint8)[..., None]


def _lightness(y: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N 1 H W"]:
    return torch.einsum("nchw,c->nhw", y, y.new_tensor(GREY))[:, None]


def _with_channels(pixels: np.ndarray, network: Translator) -> np.ndarray:
    """Pixels with as many channels as the network takes."""
    given, taken = pixels.shape[2], network.inputs
    if taken not in (1, 3) or network.outputs not in (1, 3):
        raise InputError(
            f"{network.name}: takes {taken} channels and makes {network.outputs}, and pictures in files have 1 or 3; "
            "call the network itself on tensors."
        )
    if given == taken:
        return pixels
    if given == 1:
        return np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    grey = np.empty((*pixels.shape[:2], 1), pixels.dtype)
    for line, colours in zip(grey, pixels, strict=True):  # by lines: a large picture as floats would fill memory
        line[:, 0] = np.rint(colours @ np.array(GREY, np.float32))
    return grey


def _padded(pixels: np.ndarray, network: Translator) -> np.ndarray:
    """Mirrored beyond its lower and right border, up to sides that the network takes."""
    height, width = pixels.shape[:2]
    more = [tiles.up(max(side, network.least), network.multiple) - side for side in (height, width)]
    if not any(more):
        return pixels
    margin = ((0, more[0]), (0, more[1]), (0, 0))
    return np.pad(pixels, margin, "reflect") if min(height, width) > 1 else np.pad(pixels, margin, "edge")


def _fitting(network: Translator, height: int, width: int) -> int:
    """A side of windows that fit in memory: the whole picture's where it does."""
    need = tiles.need(network)
    if height * width * need <= tiles.memory(whole=network.whole):
        return max(height, width)
    return min(tiles.LONGEST, int((tiles.memory() / need) ** 0.5))
