"""The generator's file: averaged weights in safetensors, and in its header all that is needed to sample from them."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save_file
from torch import nn

FORMAT = "tightrope-generator-1"


def write_generator(path: Path, nets: dict[str, nn.Module], facts: dict[str, str]) -> None:
    """Write the players' weights as "player/name"; `facts` (all strings) becomes the header."""
    tensors = {f"{p}/{k}": v.detach().contiguous().cpu() for p, net in nets.items() for k, v in net.state_dict().items()}
    save_file(tensors, path, {"format": FORMAT, **facts})
