"""How a picture is cut into equal windows that overlap, and how large they may be. Axes: H W pixels of the input.

Windows at a picture's border begin at it, so that the network pads there as it does for the whole picture; between two windows
the results change hands `overlap` pixels from either's edge. Where that is the network's reach, the result is the whole one's.
"""

from __future__ import annotations

import dataclasses
import os
from functools import lru_cache

import torch
from torch import Tensor, nn

from tightrope.core.translation import Translator

OVERLAP = 48  # pixels on each side: the deepest published network is then within 1.4 / 255, see docs/translate.md
LARGEST = 1 << 30  # bytes for a window, of 2 GiB with torch, the picture and a band of its result
LONGEST = 768  # pixels a side of a window, by itself: more gains nothing, and a band of the result is as high
BATCH = 1 << 16  # pixels of windows that go through together
SHARE, WHOLE = 0.25, 0.5  # of the memory that is free; for networks that have to see the whole picture
PROBE = 64  # pixels a side of what the need is measured on
HELD = 3.25  # times the largest result of a layer: measured 2.4 to 3.1, with what the convolutions copy
FLOAT = 4  # bytes


@dataclasses.dataclass(frozen=True)
class Cut:
    """One window along one side: it is `start` ... `start + size` of the input, and gives `first` ... `last` of the result."""

    start: int
    first: int
    last: int


@dataclasses.dataclass(frozen=True)
class Plan:
    """Windows of one picture.

    Attributes:
        height, width: of every window.
        rows, columns: where they lie.
        overlap: pixels that a window has beyond what is used of it, on each side that is not the picture's.
    """

    height: int
    width: int
    rows: tuple[Cut, ...]
    columns: tuple[Cut, ...]
    overlap: int

    @property
    def count(self) -> int:
        """Of all windows."""
        return len(self.rows) * len(self.columns)


def up(value: float, multiple: int) -> int:
    """The next multiple."""
    return -int(-value // multiple) * multiple


def cuts(length: int, size: int, overlap: int, multiple: int) -> tuple[int, tuple[Cut, ...]]:
    """(size of the windows, the windows) along a side of `length`; all arguments are multiples of `multiple`.

    The size is the smallest with which no more windows are needed than with the one asked for.
    """
    if size >= length:
        return length, (Cut(0, 0, length),)
    step = size - 2 * overlap
    count = -(-(length - size) // step) + 1
    size = up((length + (count - 1) * 2 * overlap) / count, multiple)
    step = size - 2 * overlap
    starts = [min(k * step, length - size) for k in range(count)]
    ends = [*(start + size - overlap for start in starts[:-1]), length]
    return size, tuple(Cut(start, first, last) for start, first, last in zip(starts, [0, *ends[:-1]], ends, strict=True))


def plan(network: Translator, height: int, width: int, *, tile: int, overlap: int | None = None) -> Plan:
    """The windows of a picture whose sides are multiples of the network's.

    Args:
        tile: pixels a side of a window, overlap and all; at least as much is taken as leaves half of it for the result.
        overlap: on each side; None is the network's reach, or OVERLAP where it reaches farther.
    """
    multiple = network.multiple
    margin = up(min(network.reach, OVERLAP) if overlap is None else overlap, multiple)
    size = max(up(tile, multiple), up(4 * margin, multiple), up(network.least, multiple))
    tall, rows = cuts(height, size, margin, multiple)
    wide, columns = cuts(width, size, margin, multiple)
    return Plan(tall, wide, rows, columns, margin)


def memory(*, whole: bool = False) -> int:
    """Bytes that a window's layers may take; more where a picture should stay `whole`."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # no such question can be asked here
        return LARGEST
    return int(free * WHOLE) if whole else min(LARGEST, int(free * SHARE))


@lru_cache(maxsize=8)
@torch.inference_mode()
def need(network: Translator) -> float:
    """Bytes a pixel of the input, from the largest of what the layers make of a small picture."""
    largest, side = [0], up(max(PROBE, network.least), network.multiple)

    def look(layer: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        largest[0] = max(largest[0], made.numel(), *(x.numel() for x in given if isinstance(x, Tensor)))

    hooks = [layer.register_forward_hook(look) for layer in network.net.modules()]
    try:
        probe = torch.zeros(1, network.inputs, side, side, device=device_of(network))
        network.net(probe)
    finally:
        for hook in hooks:
            hook.remove()
    return largest[0] * FLOAT * HELD / side**2


def device_of(network: Translator) -> torch.device:
    """Where its weights are."""
    return next(network.net.parameters()).device
