"""The weight average that samples are drawn with (Karras et al. 2018, appendix).

Buffers are treated in one of three ways: averaged like weights (Brock et al. 2019: batch statistics of a small batch are noise,
and they belong to the weights), copied from the live network (Karras et al. 2020), or left as they were at the start. Whole
numbers among them (counts) are copied always.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

BUFFERS = ("average", "copy", "leave")


class Average:
    """Exponential moving average of some players' weights, its half-life counted in seen samples.

    Args:
        buffers: one of BUFFERS.
    """

    def __init__(self, nets: dict[str, nn.Module], players: tuple[str, ...], buffers: str = "average") -> None:
        if buffers not in BUFFERS:
            raise ValueError(f"BUFFERS {buffers!r}: choose one of {', '.join(BUFFERS)}.")
        self._buffers = buffers
        self._live = {name: nets[name] for name in players}
        self._kept = {name: copy.deepcopy(nets[name]).requires_grad_(False).eval() for name in players}
        self._stale = False

    def update(self, half_life: float, samples: int) -> None:
        """Move towards the live weights by what `samples` more seen samples are worth. A half-life of 0 copies, when asked."""
        stale, self._stale = self._stale, half_life <= 0
        if self._stale:
            return
        if stale:  # the average begins where the weights stand
            for name, live in self._live.items():
                torch._foreach_copy_(self._averaged(self._kept[name]), self._averaged(live))
        weight = 1 - 0.5 ** (samples / half_life)
        for name, live in self._live.items():
            torch._foreach_lerp_(self._averaged(self._kept[name]), self._averaged(live), weight)

    @property
    def copies(self) -> bool:
        """Whether it copies the live weights, because the last half-life was 0."""
        return self._stale

    def restored(self, copies: bool | None) -> None:
        """A saved state was loaded. Where it does not say whether it `copies`: one that equals the live weights does."""
        if copies is not None:
            self._stale = copies
            return
        pairs = [(self._averaged(self._kept[name]), self._averaged(live)) for name, live in self._live.items()]
        self._stale = all(torch.equal(ours, theirs) for kept, live in pairs for ours, theirs in zip(kept, live, strict=True))

    @property
    def nets(self) -> dict[str, nn.Module]:
        """The averaged networks, in eval mode; the other players are not among them."""
        with torch.no_grad():
            for name, live in self._live.items():
                kept = self._kept[name]
                if self._stale:
                    torch._foreach_copy_(self._averaged(kept), self._averaged(live))
                for ours, theirs in zip(self._copied(kept), self._copied(live), strict=True):
                    ours.copy_(theirs)
        return dict(self._kept)

    def _averaged(self, net: nn.Module) -> list[Tensor]:
        """Weights, and floating buffers where these are averaged; detached."""
        buffers = net.buffers() if self._buffers == "average" else ()
        return [t.detach() for t in (*net.parameters(), *buffers) if t.is_floating_point()]

    def _copied(self, net: nn.Module) -> list[Tensor]:
        return [b for b in net.buffers() if not b.is_floating_point() or self._buffers == "copy"]
