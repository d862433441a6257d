"""Other projects' checkpoints: read without running anything in them, rebuilt as this project's networks, and written back.

nets = tightrope.interop.read("ffhq.pkl")                                  # {"G_ema": ..., "D": ...}
g = tightrope.interop.from_state_dict("dcgan-generator", torch.load("netG.pth", weights_only=True))
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tightrope.interop import containers, systems
from tightrope.interop.found import Found, Opened

__all__ = ["Found", "Opened", "export", "from_state_dict", "read"]


def read(path: str | Path) -> dict[str, nn.Module]:
    """The networks of a checkpoint, under the names they have in the file ("G_ema", "D"), in eval mode.

    Nothing in the file is executed, whatever it holds; see `docs/interop.md` for what is recognised.

    Raises:
        InputError: no such file, not a checkpoint of a known kind, damaged, or hostile.
    """
    opened = containers.open(Path(path))
    return {name: from_state_dict(net.system, net.state, **net.hints) for name, net in opened.nets.items()}


def from_state_dict(system: str, state_dict: Mapping[str, Tensor], **hints: Any) -> nn.Module:
    """A published network with these weights, in eval mode; it is called as the published one is.

    Args:
        system: such as "stylegan2-generator" or "dcgan-discriminator"; `systems.names()` lists them.
        state_dict: under the reference's own keys.
        hints: arguments of the reference's constructor under its names, where shapes do not tell them.

    Raises:
        InputError: no such system, or the tensors do not fit it.
    """
    return systems.build(system, state_dict, hints).eval()


def export(net: nn.Module) -> dict[str, Tensor]:
    """The weights of a network that `from_state_dict` built, under the reference's own keys."""
    return systems.export(net)
