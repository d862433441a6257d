"""Losses that are not adversarial: matching features, and staying near one's own past. Axis: N batch.

Salimans et al., "Improved techniques for training GANs", NeurIPS 2016, arXiv:1606.03498, sections 3.1 and 3.3.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core import processes

Scalar = Float[Tensor, ""]


def feature_matching(on_real: Float[Tensor, "n *f"], on_fake: Float[Tensor, "n *f"]) -> Scalar:
    """Mean absolute difference of D's mean features on reals and on fakes: section 3.1 as the authors' code computes it."""
    return (processes.batch_mean(on_real.detach()) - processes.batch_mean(on_fake)).abs().mean()


def squared_feature_matching(on_real: Float[Tensor, "n *f"], on_fake: Float[Tensor, "n *f"]) -> Scalar:
    """||E f(x) - E f(G(z))||^2, section 3.1 as the paper prints it."""
    return (processes.batch_mean(on_real.detach()) - processes.batch_mean(on_fake)).square().sum()


class History(nn.Module):
    """The mean of a network's weights over all steps so far, as buffers: list it among the players.

    penalty = history.penalty(net), after `history.update(net)`.
    """

    count: Tensor

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.names = [name for name, _ in net.named_parameters()]
        for index, parameter in enumerate(self.weights(net)):
            self.register_buffer(f"mean{index}", torch.zeros_like(parameter.detach()))

    def weights(self, net: nn.Module) -> list[Tensor]:
        """The network's weights in the order of `means`: as parameters, or held as buffers; also where the network is wrapped."""
        found = {**dict(net.named_buffers()), **dict(net.named_parameters())}
        first = next(name for name in found if f".{name}".endswith(f".{self.names[0]}"))
        around = first.removesuffix(self.names[0])
        return [found[around + name] for name in self.names]

    def means(self) -> list[Tensor]:
        return [buffer for name, buffer in self.named_buffers() if name != "count"]

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Take the weights of this step into the mean."""
        self.count += 1
        share = 1 / int(self.count)
        for mean, parameter in zip(self.means(), self.weights(net), strict=True):
            mean.lerp_(parameter.detach(), share)

    def penalty(self, net: nn.Module) -> Scalar:
        """||w - 1/t sum_i w_i||^2, section 3.3."""
        return historical(self.weights(net), self.means())


def historical(weights: list[Tensor], means: list[Tensor]) -> Scalar:
    """Squared distance of weights to the mean of their past, section 3.3."""
    return torch.stack([(w - m).square().sum() for w, m in zip(weights, means, strict=True)]).sum()
