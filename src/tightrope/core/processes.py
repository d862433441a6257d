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


def batch_mean(x: Tensor) -> Tensor:
    """The mean over the samples of all processes, (N, ...) to (...), with its graph: gradients reach every process's part."""
    value = x.mean(0)
    if dist.is_available() and dist.is_initialized():
        from torch.distributed.nn.functional import all_reduce  # its backward pass sums over the processes too

        value = all_reduce(value) / dist.get_world_size()
    return value
