"""The engine: device, precision and processes. Everything that differs between a laptop and eight GPUs is in this file.

Several processes are launched by `torchrun`; gradients are averaged after backward in one flat all-reduce, which is exact
for every GAN pattern (a gradient penalty in a backward of its own included), and weights start equal because their seed is.
"""

from __future__ import annotations

import atexit
import contextlib
import os
from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from tightrope.core.errors import InputError

PRECISIONS = ("fp32", "bf16")


def _leave() -> None:
    """Leave the group of processes, if this one still is in it."""
    if dist.is_initialized():
        dist.destroy_process_group()


class Engine:
    """Where and how the arithmetic runs.

    Attributes:
        device: of the networks.
        precision: "fp32", or "bf16" for autocast with channels-last memory. Never fp16: it cripples gradient penalties.
        rank, processes: of this process, and how many there are.
    """

    def __init__(self, device: str | None = None, precision: str = "fp32") -> None:
        self.processes = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self.device = self._device(device)
        self.precision = precision
        if self.processes > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
            atexit.register(_leave)  # gloo's threads abort a process that ends with them

    def _device(self, name: str | None) -> torch.device:
        if name is None:
            accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
            name = accelerator.type if accelerator else "cpu"
        try:
            device = torch.device(name)
        except RuntimeError:
            raise InputError(f"--device {name}: no such device; use cpu, cuda, cuda:1, mps.") from None
        if device.type == "cuda":
            if not torch.cuda.is_available():
                raise InputError(f"--device {name}: torch finds no CUDA device here; use --device cpu.")
            if device.index is None:
                device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(device)
        return device

    @property
    def chief(self) -> bool:
        """True in the one process that writes files."""
        return self.rank == 0

    def share(self, batch: int) -> slice:
        """This process's part of a batch of `batch` samples."""
        if batch % self.processes:
            raise InputError(f"--batch {batch} cannot be split over {self.processes} processes: choose a multiple.")
        part = batch // self.processes
        return slice(self.rank * part, (self.rank + 1) * part)

    def place(self, net: nn.Module) -> nn.Module:
        """Bring a network to the device, in the memory format of the precision; refuse what processes would make wrong."""
        if self.processes > 1 and any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in net.modules()):
            if self.device.type != "cuda":
                raise InputError(
                    "this recipe uses batch normalisation, whose result depends on the number of processes, and torch "
                    "can synchronise it on CUDA only: train it in one process, or choose a recipe without it (r3gan)."
                )
            net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
        return self.format(net.to(self.device))

    def format(self, net: nn.Module) -> nn.Module:
        """Channels-last weights where the precision is bf16."""
        if self.precision == "bf16":
            net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return net

    def bring(self, tensor: Tensor) -> Tensor:
        """Bring a batch to the device, channels-last where that is the format."""
        if self.precision == "bf16" and tensor.dim() == 4:
            return tensor.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        return tensor.to(self.device, non_blocking=True)

    def seed(self, value: int) -> None:
        """Seed the generators that networks draw from. (`torch.manual_seed` also walks the stack for accelerators unused.)"""
        torch.default_generator.manual_seed(value)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(value)

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """bf16 autocast, or nothing."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes, in one all-reduce."""
        if self.processes == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in gradients])
        dist.all_reduce(flat)
        flat /= self.processes
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view(gradient.shape))
            start += gradient.numel()

    def agree(self, values: list[float]) -> list[float]:
        """The chief's numbers, in every process."""
        if self.processes == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.broadcast(tensor, 0)
        return tensor.tolist()

    def tell(self, thing: Any) -> Any:
        """The chief's plain data, in every process."""
        if self.processes == 1:
            return thing
        box = [thing]
        dist.broadcast_object_list(box, 0)
        return box[0]

    def any(self, flag: bool) -> bool:
        """True where any process says so."""
        if self.processes == 1:
            return flag
        tensor = torch.tensor(float(flag), device=self.device)
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return bool(tensor.item())

    def barrier(self) -> None:
        """Wait for the other processes."""
        if self.processes > 1:
            dist.barrier()
