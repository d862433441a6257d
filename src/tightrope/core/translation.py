"""Networks that turn pictures into pictures: what their users must know of them. Axes: N batch, C channel, H W pixels, s scale.

An imported network is described by `interop.translating`, a trained one by its recipe (`Translating`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor, nn


@dataclasses.dataclass(frozen=True, kw_only=True)
class Translator:
    """A network (N, inputs, H, W) -> (N, outputs, s H, s W).

    Attributes:
        net: in eval mode.
        name: of its kind, as errors and records name it.
        inputs, outputs: channels of the pictures.
        scale: s, how much larger pictures become.
        multiple: sides of what is given are multiples of it, and so are distances by which a picture may be shifted under the
            network and its result with it.
        least: the smallest side it works with.
        darkest: the value of black; white is 1.
        reach: a pixel of the result depends on no pixel of the input farther away than this.
        whole: it takes means over the whole picture (instance normalisation): parts do not make the whole.
        restores: the result is the same picture, only better; so a grey one stays grey.
    """

    net: nn.Module
    name: str
    inputs: int = 3
    outputs: int = 3
    scale: int = 1
    multiple: int = 1
    least: int = 1
    darkest: float = -1.0
    reach: int = 0
    whole: bool = False
    restores: bool = False


@runtime_checkable
class Holding(Protocol):
    """A layer that normalises by means over the picture, and by others where some are `held`: mean and variance, (C,) each."""

    held: tuple[Tensor, Tensor] | None


@runtime_checkable
class Translating(Protocol):
    """What a recipe has whose runs are used by `tightrope translate`."""

    def translators(self, nets: Mapping[str, nn.Module]) -> Mapping[str, Translator]:
        """Its ways of translating by name ("A-to-B"), the usual one first, from its averaged networks."""
        ...
