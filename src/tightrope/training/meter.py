"""The meter: means of terms and signals between two ticks, read with one synchronisation, and the place where one went bad."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core.errors import RunStopped
from tightrope.core.game import Terms

TAIL = 4  # moves whose logits are kept whole
KINDS = ("terms/", "signals/", "seen/", "logits/")


class Read(NamedTuple):
    """Means since the last reading; `bad` says which term was not finite, where and when, and is "" where all were."""

    terms: dict[str, float]
    signals: dict[str, float]
    bad: str


class Meter:
    """Keeps detached scalars on the device until they are read; its memory is bounded by the distance of two ticks."""

    def __init__(self) -> None:
        self._terms: dict[str, list[Tensor]] = {}
        self._signals: dict[str, list[Tensor]] = {}
        self._seen: dict[str, list[int]] = {}
        self._logits: deque[tuple[Tensor, Tensor]] = deque(maxlen=TAIL)

    def add(self, phase: str, terms: Terms, seen: int) -> None:
        """Note one move's terms, and the means of its signals of at most one dimension (logits, watched losses)."""
        for name, value in terms.items():
            self._terms.setdefault(f"{phase}/{name}", []).append(value.detach())
            self._seen.setdefault(f"{phase}/{name}", []).append(seen)
        for name, value in terms.signals.items():
            if value.dim() <= 1:
                self._signals.setdefault(f"{phase}/{name}", []).append(value.mean())
        real, fake = terms.signals.get("real"), terms.signals.get("fake")
        if real is not None and fake is not None and real.dim() == fake.dim() == 1:
            self._logits.append((real, fake))

    def lead(self) -> float | None:
        """2 P(D(real) > D(fake)) - 1 over the last moves that handed out logits: 1 where D tells all apart, 0 where it cannot."""
        if not self._logits:
            return None
        return torch.stack([_above(real.float(), fake.float()) for real, fake in self._logits]).mean().item()

    def take(self) -> Read:
        """Means since the last reading, and whether any term was bad."""
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
        said = ""
        if bad:
            seen, name, value = min(bad)
            phase, term = name.split("/", 1)
            said = f"phase {phase}, term {term!r} became {value} at {seen:,} seen samples"
        return Read(means, signals, said)

    def state(self) -> dict[str, Tensor]:
        """What was noted since the last reading, for a checkpoint between two of them."""
        held = {f"terms/{name}": torch.stack(values) for name, values in self._terms.items()}
        held |= {f"signals/{name}": torch.stack(values) for name, values in self._signals.items()}
        held |= {f"seen/{name}": torch.tensor(values) for name, values in self._seen.items()}
        return held | {f"logits/{i}/{j}": x.clone() for i, pair in enumerate(self._logits) for j, x in enumerate(pair)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` gave."""
        under = {kind: {key.removeprefix(kind): v for key, v in state.items() if key.startswith(kind)} for kind in KINDS}
        terms, signals, seen, logits = under.values()
        self._terms = {name: list(values.unbind()) for name, values in terms.items()}
        self._signals = {name: list(values.unbind()) for name, values in signals.items()}
        self._seen = {name: values.tolist() for name, values in seen.items()}
        self._logits.clear()
        self._logits.extend((logits[f"{i}/0"], logits[f"{i}/1"]) for i in range(len(logits) // 2))

    def read(self) -> tuple[dict[str, float], dict[str, float]]:
        """Means of (terms, signals) since the last reading.

        Raises:
            RunStopped: a term was not finite; names the phase, the term and the first `seen`.
        """
        terms, signals, bad = self.take()
        if bad:
            raise RunStopped(bad)
        return terms, signals


def _above(real: Float[Tensor, " n"], fake: Float[Tensor, " m"]) -> Float[Tensor, ""]:
    """The mean sign of the difference over all pairs, without making them: a critic of patches hands out thousands of logits."""
    ranked, m = fake.sort().values, len(fake)
    below, upto = (torch.searchsorted(ranked, real, right=right).float() for right in (False, True))
    return ((below + upto) / m - 1).mean()


def not_finite(nets: dict[str, nn.Module], seen: int) -> str:
    """A sentence that names the player and the tensor of the first weight or buffer that is not finite; "" where all are."""
    for player, net in nets.items():
        for name, value in net.state_dict().items():
            if value.is_floating_point() and not torch.isfinite(value).all():
                return f"player {player}, weight {name!r} is no longer finite at {seen:,} seen samples"
    return ""


def require_finite(nets: dict[str, nn.Module], seen: int) -> None:
    """Raise RunStopped with what `not_finite` says."""
    bad = not_finite(nets, seen)
    if bad:
        raise RunStopped(bad)
