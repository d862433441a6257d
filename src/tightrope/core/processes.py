"""What the processes of one training agree on, for state that depends on a whole batch (a balance, a running mean of logits)."""

from __future__ import annotations

import torch.distributed as dist
from torch import Tensor


def mean(x: Tensor) -> Tensor:
    """The mean of a tensor's elements over all processes' parts of the batch, detached, in fp32 or wider."""
    value = x.detach().mean() if x.is_floating_point() and x.element_size() >= 4 else x.detach().float().mean()
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(value)
        value = value / dist.get_world_size()
    return value
