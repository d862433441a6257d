"""The meter: means of terms and signals between two ticks, read with one synchronisation, and the place where one went bad."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tightrope.core.errors import RunStopped
from tightrope.core.game import Terms


class Meter:
    """Keeps detached scalars on the device until `read`; its memory is bounded by the distance of two ticks."""

    def __init__(self) -> None:
        self._terms: dict[str, list[Tensor]] = {}
        self._signals: dict[str, list[Tensor]] = {}
        self._seen: dict[str, list[int]] = {}

    def add(self, phase: str, terms: Terms, seen: int) -> None:
        """Note one move's terms, and the means of its signals of at most one dimension (logits, watched losses)."""
        for name, value in terms.items():
            self._terms.setdefault(f"{phase}/{name}", []).append(value.detach())
            self._seen.setdefault(f"{phase}/{name}", []).append(seen)
        for name, value in terms.signals.items():
            if value.dim() <= 1:
                self._signals.setdefault(f"{phase}/{name}", []).append(value.mean())

    def read(self) -> tuple[dict[str, float], dict[str, float]]:
        """Means of (terms, signals) since the last reading.

        Raises:
            RunStopped: a term was not finite; names the phase, the term and the first `seen`.
        """
        bad: list[tuple[int, str, float]] = []
        means: dict[str, float] = {}
        for name, values in self._terms.items():
            stacked = torch.stack(values).float()
            finite = torch.isfinite(stacked)
            means[name] = stacked.mean().item()
            if not finite.all():
                first = int((~finite).nonzero()[0])
                bad.append((self._seen[name][first], name, stacked[first].item()))
        signals = {name: torch.stack(values).float().mean().item() for name, values in self._signals.items()}
        self._terms, self._signals, self._seen = {}, {}, {}
        if bad:
            seen, name, value = min(bad)
            phase, term = name.split("/", 1)
            raise RunStopped(f"phase {phase}, term {term!r} became {value} at {seen:,} seen samples")
        return means, signals


def require_finite(nets: dict[str, nn.Module], seen: int) -> None:
    """Raise RunStopped when a weight or buffer is not finite, naming the player and the tensor."""
    for player, net in nets.items():
        for name, value in net.state_dict().items():
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise RunStopped(f"player {player}, weight {name!r} is no longer finite at {seen:,} seen samples")
