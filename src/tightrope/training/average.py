"""The weight average that samples are drawn with (Karras et al. 2018, appendix).

Batch statistics are averaged like weights (Brock et al. 2019): those of a small batch are noise, and they belong to the weights.
"""

from __future__ import annotations

import copy

import torch
from torch import nn


class Average:
    """Exponential moving average of some players' weights, its half-life counted in seen samples."""

    def __init__(self, nets: dict[str, nn.Module], players: tuple[str, ...]) -> None:
        self._live = {name: nets[name] for name in players}
        self._kept = {name: copy.deepcopy(nets[name]).requires_grad_(False).eval() for name in players}
        self._stale = False

    def update(self, half_life: float, samples: int) -> None:
        """Move towards the live weights by what `samples` more seen samples are worth. A half-life of 0 copies, when asked."""
        self._stale = half_life <= 0
        if self._stale:
            return
        weight = 1 - 0.5 ** (samples / half_life)
        for name, live in self._live.items():
            torch._foreach_lerp_(_floats(self._kept[name]), _floats(live), weight)

    @property
    def nets(self) -> dict[str, nn.Module]:
        """The averaged networks, in eval mode; the other players are not among them."""
        with torch.no_grad():
            for name, live in self._live.items():
                if self._stale:
                    torch._foreach_copy_(_floats(self._kept[name]), _floats(live))
        return dict(self._kept)


def _floats(net: nn.Module) -> list[torch.Tensor]:
    """Weights and floating buffers, detached."""
    return [t.detach() for t in (*net.parameters(), *net.buffers()) if t.is_floating_point()]
