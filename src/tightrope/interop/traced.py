"""A generator as one function that other programs can run, and the check that what was made of it draws the same.

Inputs are named z (N, Z); labels (N,), int64, where samples are made by class; psi (), where styles can be truncated (Karras,
Laine & Aila 2019, appendix B: w' = mean + psi (w - mean)). The output is what `Generator.decode` gives, in the networks' range,
float32.
Networks with layers in bf16 (R3GAN's published ones) are written down, and compared, in fp32 throughout: few programs run bf16.
Axis: N batch, Z latent, L layers, W style.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.core.labels import weights
from tightrope.core.styled import Styled
from tightrope.explore.generator import Generator
from tightrope.networks.layers.convolution import plain
from tightrope.networks.progressive import ProgressiveGenerator
from tightrope.networks.r3 import R3Generator

TOLERANCE = 1e-4  # largest difference to PyTorch that is let pass, times the largest sample where that is above 1
BATCHES = ((1, 1.0), (2, 0.7), (5, 0.4))  # batch sizes that are tried, each at a psi
Inputs = dict[str, Tensor]


def styled(generator: Generator) -> Styled | None:
    """The network whose styles can be truncated; None where there is none."""
    net = generator.nets.get("G")
    return net if isinstance(net, Styled) else None


def in_fp32(generator: Generator) -> Generator:
    """A copy without layers in bf16."""
    found = copy.deepcopy(generator)
    for net in (module for player in found.nets.values() for module in player.modules()):
        if isinstance(net, R3Generator):
            net.in_bf16 = frozenset()
    return found


class Drawing(nn.Module):
    """Latents (and classes, and psi) to samples, as `Generator.decode`, with nothing left that only training needs."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.recipe = generator.recipe
        self.players = nn.ModuleDict(in_fp32(generator).nets)
        self.styled = styled(generator) is not None
        for net in self.players.modules():
            if isinstance(net, ProgressiveGenerator):  # how far it has grown decides which layers there are: a number from now on
                stage = float(net.stage)
                del net.stage
                net.stage = stage  # type: ignore[assignment]

    def forward(
        self, z: Float[Tensor, "n z"], labels: Int64[Tensor, " n"] | None = None, psi: Float[Tensor, ""] | None = None
    ) -> Float[Tensor, "n *x"]:
        if not self.styled:
            return self.recipe.sample(dict(self.players.items()), z, labels).float()
        g: Any = self.players["G"]
        w = g.mapping(z, None if labels is None else weights(labels, g.c_dim))
        w = g.mapping.w_avg + psi * (w - g.mapping.w_avg)
        return g.synthesis(w, noise_mode="const").float()


def inputs(generator: Generator, n: int, psi: float = 1.0) -> Inputs:
    """The inputs of seeds 0 to n - 1, by name, as every exported program takes them."""
    seeds = list(range(n))
    given = {"z": generator.latents(seeds)}
    labels = generator.labels(seeds)
    given |= {} if labels is None else {"labels": labels}
    return given | ({"psi": torch.tensor(psi)} if styled(generator) else {})


def traced(generator: Generator) -> torch.export.ExportedProgram:
    """The program of a generator, for any batch size.

    Raises:
        InputError: its networks do what cannot be written down ahead, such as to choose layers by the values of a tensor.
    """
    example = inputs(generator, 3)
    n = torch.export.Dim("n")
    batched: dict[str, Any] = {name: {0: n} if value.dim() else {} for name, value in example.items()}
    z = example.pop("z")
    try:
        with torch.no_grad(), plain(), quiet():
            return torch.export.export(Drawing(generator).eval(), (z,), example, dynamic_shapes=batched, strict=False)
    except (RuntimeError, TypeError, ValueError) as error:
        raise untraceable(generator, error) from error


def untraceable(generator: Generator, error: Exception) -> InputError:
    """The error for networks that cannot be written down; PyTorch says in a list what is wrong, where it says it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    listed = [line.strip(" -") for line in lines if line.startswith("  - ")]
    return InputError(
        f"recipe {generator.name}: its generator cannot be written down as a program for any batch size "
        f"({(listed or lines)[0]}); --to safetensors keeps the weights, which Tightrope opens."
    )


@torch.no_grad()
def by_pytorch(generator: Generator, given: Inputs) -> Float[Tensor, "n *x"]:
    """What PyTorch draws for such inputs."""
    net, psi = styled(generator), float(given.get("psi", 1.0))
    if net is None or psi == 1:
        return generator.decode(given["z"], given.get("labels"))
    c = weights(given["labels"], net.c_dim) if "labels" in given else None
    return net.synthesis(net.mapping(given["z"], c, truncation_psi=psi), noise_mode="const").float().cpu()


def checked(generator: Generator, what: str, run: Callable[[Inputs], Tensor]) -> float:
    """The largest absolute difference between what `run` draws and what PyTorch does, over several batch sizes.

    Args:
        what: is tried, for the error.
        run: the exported program.

    Raises:
        InputError: the shapes differ, or the values do by more than TOLERANCE.
    """
    worst, generator = 0.0, in_fp32(generator)
    for n, psi in BATCHES:
        given = inputs(generator, n, psi)
        ours, theirs = by_pytorch(generator, given), run(given)
        if theirs.shape != ours.shape or theirs.dtype != torch.float32:
            raise InputError(
                f"{what}: draws {theirs.dtype} {tuple(theirs.shape)} where PyTorch draws {tuple(ours.shape)}; not kept."
            )
        difference = (theirs - ours).abs().max().item()
        allowed = TOLERANCE * max(1.0, ours.abs().max().item())
        if not difference <= allowed:  # a NaN is no agreement
            raise InputError(
                f"{what}: differs from PyTorch by {difference:.2g} on a batch of {n} (allowed: {allowed:.2g}), so it was not "
                "kept; --to safetensors keeps the weights, which Tightrope opens."
            )
        worst = max(worst, difference)
    return worst


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Inside, PyTorch's exporters keep what concerns their own future to themselves; errors still come through."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)
