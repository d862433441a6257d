"""How much to augment: a probability that follows how sure D is of real images, and pseudo augmentation, which uses it too.

ADA: Karras et al. 2020, "Training generative adversarial networks with limited data", section 3.1: r = E[sign D(x)] over real
images is near 0 for a critic that cannot tell and near 1 for one that has learned them by heart; p
rises while r is above a target.
APA: Jiang, Dai, Wu & Loy 2021, "Deceive D: adaptive pseudo augmentation for GAN training with limited data": p is instead
the probability that D is shown a generated image as a real one. Axis: N batch.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core import processes


class AdaptiveProbability(nn.Module):
    """p, moved every few batches by a fixed step up or down, and kept between 0 and 1.

    In a loop of your own: `steering = AdaptiveProbability()`, show D `adaptive(x, steering.p)` for reals and fakes alike, and
    after D's move call `steering(on_real, batch_size, round)`. In a recipe it is a player without parameters, so that
    its state is in checkpoints. No number is read back to the host.

    Args:
        start: p at first.
        target: the wanted mean of sign D(real); the paper's 0.6.
        images: in which p can go from 0 to 1; the paper's 500,000, or 100,000 where a run is resumed.
        every: batches between two moves.

    Attributes:
        p: the probability.
        sureness: the mean of the signs at the last move, the paper's r_t.
    """

    p: Tensor
    sureness: Tensor
    signs: Tensor

    def __init__(self, start: float = 0.0, *, target: float = 0.6, images: float = 500_000.0, every: int = 4) -> None:
        super().__init__()
        self.target, self.images, self.every = target, images, every
        self.register_buffer("p", torch.tensor(float(start)))
        self.register_buffer("sureness", torch.zeros(()))
        self.register_buffer("signs", torch.zeros(()))  # their sum since the last move

    @torch.no_grad()
    def forward(self, on_real: Float[Tensor, " n"], batch: int, round: int) -> Float[Tensor, ""]:
        """Note D's logits on real images, return the mean of their signs; p moves at the end of every `every`-th round.

        Args:
            batch: images of a batch, over all processes.
            round: counted from 0.
        """
        sign = processes.mean(on_real.sign())
        self.signs.add_(sign)
        if (round + 1) % self.every:
            return sign
        self.sureness.copy_(self.signs / self.every)
        self.signs.zero_()
        step = batch * self.every / self.images
        self.p.add_((self.sureness - self.target).sign() * step).clamp_(0, 1)
        return sign


def probability(steering: nn.Module | None, fixed: float) -> float | Tensor:
    """p of an `AdaptiveProbability`, or where there is none a number."""
    return steering.p if isinstance(steering, AdaptiveProbability) else fixed


def pretended(real: Float[Tensor, "n *x"], fake: Float[Tensor, "n *x"], p: float | Tensor) -> Float[Tensor, "n *x"]:
    """What D is told is real: each real sample, or with probability `p` a generated one in its place (Jiang et al., equation 3).

    The generated ones are taken from the neighbour's place, so that no pair shows D the same image as real and as fake.
    """
    told = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device) < p
    return torch.where(told, fake.roll(1, 0), real)
