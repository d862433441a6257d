"""A tiny generator in two halves, one by class, and one whose latents hold a code; stand-ins for trained recipes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tightrope.core.spec import DataSpec


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Mapping(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layer, self.of_class = nn.Linear(4, 5, bias=False), nn.Linear(max(1, classes), 5, bias=False)
        self.register_buffer("w_avg", torch.zeros(5))
        self.layer.weight.data, self.of_class.weight.data = drawn(5, 4), 2 * drawn(5, max(1, classes), seed=1)

    def forward(self, z: Tensor, c: Tensor | None, truncation_psi: float = 1, truncation_cutoff: int | None = None) -> Tensor:
        w = torch.tanh(self.layer(z) / 2) + (0 if c is None else self.of_class(c))
        return w[:, None].repeat(1, 2, 1)


class Synthesis(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.coarse, self.fine = nn.Parameter(drawn(5, 4, 4) / 4), nn.Parameter(drawn(5, 16, 16, seed=1) / 8)
        self.register_buffer("noise_const", drawn(16, 16, seed=2))

    def forward(self, ws: Tensor, noise_mode: str = "random") -> Tensor:
        assert noise_mode == "const"
        coarse = torch.einsum("nw,whv->nhv", ws[:, 0], self.coarse).repeat_interleave(4, 1).repeat_interleave(4, 2)
        fine = torch.einsum("nw,whv->nhv", ws[:, 1], self.fine)
        return torch.tanh((coarse + fine)[:, None] + 0.2 * self.noise_const)


class Halves(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim, self.num_ws = 4, classes, 5, 2
        self.mapping, self.synthesis = Mapping(classes), Synthesis()


class Toy:
    AVERAGED, CONDITIONAL, COMPLETES = ("G",), False, False

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        return {"G": Halves(len(spec.classes) if self.CONDITIONAL else 0)}

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, 4, generator=generator)

    def sample(self, nets: Any, z: Tensor, labels: Tensor | None = None) -> Tensor:
        c = None if labels is None else torch.nn.functional.one_hot(labels, 2).float()
        return nets["G"].synthesis(nets["G"].mapping(z, c), noise_mode="const")


class ByClass(Toy):
    CONDITIONAL = True


class Codes(Toy):
    """A uniform latent and a code of two, as InfoGAN's."""

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        layer = nn.Linear(4, 256, bias=False)
        layer.weight.data = drawn(256, 4) / 3
        return {"G": layer}

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        code = torch.nn.functional.one_hot(torch.randint(2, (n,), generator=generator), 2)
        return torch.cat([torch.rand(n, 2, generator=generator) * 2 - 1, code], 1)

    def sample(self, nets: Any, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return torch.tanh(nets["G"](z)).unflatten(1, (1, 16, 16))
