"""Critics that look at one picture at several sizes. Axis: N batch, C channel, H W.

Wang et al., "High-resolution image synthesis and semantic manipulation with conditional GANs" (2018), section 3.2: equal
networks, the first for the picture as it is, each further one for the last one's picture at half the size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.networks.patch import PatchCritic

Maps = Float[Tensor, "n c h w"]


class PatchCritics(nn.Module):
    """As many patch critics as sizes.

    Args:
        make: builds one.
        scales: how many.
    """

    def __init__(self, make: Callable[[], PatchCritic], scales: int = 1) -> None:
        super().__init__()
        self.critics = nn.ModuleList(make() for _ in range(scales))

    def forward(self, x: Maps) -> list[Maps]:
        """Each critic's logits."""
        return [critic(seen) for critic, seen in self._shown(x)]

    def features(self, x: Maps) -> list[list[Maps]]:
        """Of each critic what comes out of its layers, the logits last."""
        return [critic.features(seen) for critic, seen in self._shown(x)]

    def _shown(self, x: Maps) -> Iterator[tuple[PatchCritic, Maps]]:
        for k, critic in enumerate(self.critics):
            x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False) if k else x
            assert isinstance(critic, PatchCritic)
            yield critic, x
