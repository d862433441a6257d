"""LeCam: D's logits are held near running means of the other side's. For little data. Axis: N batch.

Tseng et al., "Regularizing generative adversarial networks under limited data", CVPR 2021, arXiv:2104.03310, equation 5, in the
form of the published code: only logits beyond the other side's mean are punished.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core import processes

Logits = Float[Tensor, " n"]


def lecam(on_real: Logits, on_fake: Logits, mean_real: Tensor, mean_fake: Tensor) -> Float[Tensor, ""]:
    """E max(0, D(x) - mean_fake)^2 + E max(0, mean_real - D(G(z)))^2.

    The means are running ones of the logits of the other side; `LeCam` keeps them.
    """
    return F.relu(on_real - mean_fake).square().mean() + F.relu(mean_real - on_fake).square().mean()


class LeCam(nn.Module):
    """The running means, as buffers: a player of its own. In D's phase call `update`, then add its value times a weight (0.3).

    Args:
        decay: of the means, a step.
        start: steps before which the means only follow the last batch and the value is 0.
    """

    real: Tensor
    fake: Tensor
    steps: Tensor

    def __init__(self, decay: float = 0.99, start: int = 1000) -> None:
        super().__init__()
        self.decay, self.start = decay, start
        self.register_buffer("real", torch.zeros(()))
        self.register_buffer("fake", torch.zeros(()))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, on_real: Logits, on_fake: Logits) -> None:
        """Take this batch's mean logits, over all processes, into the running means."""
        self.steps += 1
        share = 1 - self.decay * (self.steps > max(1, self.start)).to(self.real)
        self.real.lerp_(processes.mean(on_real).to(self.real), share)
        self.fake.lerp_(processes.mean(on_fake).to(self.fake), share)

    def forward(self, on_real: Logits, on_fake: Logits) -> Float[Tensor, ""]:
        """The penalty on this batch."""
        return lecam(on_real, on_fake, self.real, self.fake) * (self.steps > self.start)
