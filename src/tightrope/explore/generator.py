"""Generator: a trained network that draws samples, the same for the same seed. Axis: N samples, Z latent, K classes.

Opens `generator.safetensors`, which holds tensors and text only: nothing in it can run code.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from tightrope.core import labels as labelling
from tightrope.core import seeds as seeding
from tightrope.core.errors import InputError
from tightrope.core.game import Recipe
from tightrope.core.spec import DataSpec
from tightrope.explore.truncation import require_normal, truncated

FORMAT = "tightrope-generator-1"
NETWORK = "tightrope-network-1"  # one network of another project, as `tightrope import` writes it
BATCH = 256
Classes = Tensor | str | int | Sequence[str | int]


def read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The header and the tensors of a generator's file.

    Raises:
        InputError: no such file, or not one of Tightrope's.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; a run writes generator.safetensors at its first checkpoint.")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") not in (FORMAT, NETWORK):
                raise InputError(f"{path}: is not a generator written by Tightrope (its header names no such format).")
            return header, {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: cannot be read as safetensors ({error}).") from error


class Generator:
    """Samples from a recipe's averaged weights.

    Attributes:
        recipe: the recipe that was trained.
        spec: shape and classes of what it makes.
        header: what the file says of itself (data, licence, seen ...).
    """

    def __init__(self, recipe: Recipe, spec: DataSpec, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
        self.recipe, self.spec, self.header = recipe, spec, header
        built = recipe.networks(spec)
        self.nets: dict[str, nn.Module] = {}
        for player in recipe.AVERAGED:
            prefix = f"{player}/"
            state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            built[player].load_state_dict(state)
            self.nets[player] = built[player].eval().requires_grad_(False)

    @property
    def name(self) -> str:
        """The recipe's, as errors name it."""
        return Path(self.header.get("recipe", type(self.recipe).__name__)).stem

    def latents(self, seeds: list[int], truncation: float | None = None) -> Float[Tensor, "n z"]:
        """One latent a seed: seed 7 is the same latent in every call, whatever stands beside it.

        Args:
            truncation: t above 0 brings normal latents into (-t, t), the same seed nearer to the mean; see `truncation`.
        """
        if self.spec.given:
            raise InputError(f"{self.name} makes pictures of pictures: give it some with `tightrope translate`.")
        z = torch.cat([self.recipe.latents(1, seeding.generator(seed, "sample")) for seed in seeds])
        if truncation is None:
            return z
        require_normal(self.recipe, f"recipe {self.name}")
        return truncated(z, truncation)

    def labels(self, seeds: list[int]) -> Int64[Tensor, " n"] | None:
        """One class a seed, drawn in the proportions of the data; None where samples are not made by class."""
        if not self.recipe.CONDITIONAL:
            return None
        return torch.cat([labelling.draw(self.spec, 1, seeding.generator(seed, "class")) for seed in seeds])

    def classes(self, named: Sequence[str | int]) -> list[int]:
        """Classes by name (in any case, or how it begins) or number.

        Raises:
            InputError: no such class, or samples are made without classes.
        """
        if not self.recipe.CONDITIONAL:
            raise InputError(f"recipe {self.name} makes samples without classes; leave the class out.")
        return labelling.named(named, self.spec)

    @torch.no_grad()
    def decode(self, z: Float[Tensor, "n z"], labels: Tensor | None = None) -> Float[Tensor, "n *x"]:
        """Samples for latents, in the networks' range, fp32 on the CPU.

        Args:
            labels: classes, (N,), or shares of classes that sum to 1, (N, K), for mixtures; needed where samples are made by
                class, and refused elsewhere. Of a recipe that completes samples: what is known, (N, *shape), else NaN.
        """
        if (labels is not None) != self.recipe.CONDITIONAL and not (labels is not None and self.recipe.COMPLETES):
            needs = "needs a class for every sample" if labels is None else "makes samples without classes"
            raise InputError(f"recipe {self.name} {needs}.")
        parts = zip(z.split(BATCH), labels.split(BATCH) if labels is not None else [None] * len(z), strict=False)
        return torch.cat([self.recipe.sample(self.nets, *part).float().cpu() for part in parts])

    def sample(
        self,
        n: int | None = None,
        *,
        seeds: list[int] | None = None,
        labels: Classes | None = None,
        truncation: float | None = None,
    ) -> Float[Tensor, "n *x"]:
        """Draw samples for `seeds`, or for seeds 0 to n - 1.

        Args:
            labels: one class for all, by name or number ("sandal", 5); one a sample; or a tensor as `decode` takes it. None:
                each seed's own class.
            truncation: see `latents`.
        """
        chosen = list(range(n or 1)) if seeds is None else seeds
        return self.decode(self.latents(chosen, truncation), self.chosen(chosen, labels))

    def mix(self, *named: str | int, seeds: list[int], steps: int = 9, truncation: float | None = None) -> Float[Tensor, "n *x"]:
        """Each seed's latent from one class to the next in `steps` mixtures of their shares: len(seeds) * steps samples, a
        seed's beside each other, the classes themselves first and last.

        Raises:
            InputError: fewer than two classes or steps, an unknown class, or samples are made without classes.
        """
        stops = self.classes(named)
        if len(stops) < 2 or steps < 2:
            raise InputError(f"mix: {len(stops)} classes in {steps} steps; at least two of both are needed.")
        shares = labelling.mixtures(stops, steps, len(self.spec.classes))
        z = self.latents(seeds, truncation).repeat_interleave(steps, 0)
        return self.decode(z, shares.repeat(len(seeds), 1))

    def interpolate(
        self, seeds: list[int], steps: int = 12, *, labels: Classes | None = None, truncation: float | None = None
    ) -> Float[Tensor, "n *x"]:
        """Samples along great arcs from each seed's latent to the next and back to the first, `steps` an arc.

        Classes are mixed along the way, from each seed's (or those given as for `sample`) to the next one's.
        """
        ends = self.latents([*seeds, seeds[0]], truncation)
        t = torch.linspace(0, 1, steps + 1)[:-1]
        arcs = torch.cat([slerp(a, b, t) for a, b in zip(ends[:-1], ends[1:], strict=True)])
        given = self.chosen(seeds, labels)
        if given is None:
            return self.decode(arcs)
        here = labelling.weights(given, len(self.spec.classes)).repeat_interleave(steps, 0)
        there = t.repeat(len(seeds))[:, None]
        return self.decode(arcs, (1 - there) * here + there * here.roll(-steps, 0))

    def chosen(self, seeds: list[int], given: Classes | None) -> Tensor | None:
        """Labels as `decode` takes them, one a seed: those given as for `sample`, or each seed's own."""
        if given is None:
            return self.labels(seeds)
        if self.recipe.COMPLETES and isinstance(given, Tensor):
            if given.shape != (len(seeds), *self.spec.shape):
                raise InputError(f"labels: the shape {tuple(given.shape)}; what is known is {(len(seeds), *self.spec.shape)}.")
            return given
        if not isinstance(given, Tensor):
            given = torch.tensor(self.classes([given] * len(seeds) if isinstance(given, (str, int)) else given))
        if len(given) != len(seeds):
            raise InputError(f"labels: {len(given)} classes for {len(seeds)} samples; give one for all, or one a sample.")
        k = len(self.spec.classes)
        if given.shape[1:] != ((k,) if given.is_floating_point() else ()):
            raise InputError(f"labels: the shape {tuple(given.shape)}; classes are whole numbers (N,), or shares (N, {k}).")
        if not given.is_floating_point() and not bool(((given >= 0) & (given < k)).all()):
            raise InputError(f"labels: from {int(given.min())} to {int(given.max())}; there are classes 0 to {k - 1}.")
        return given

    def facts(self) -> dict[str, Any]:
        """The header with its JSON values read."""
        return {k: json.loads(v) if k in ("fields", "spec") else v for k, v in self.header.items()}


def slerp(a: Float[Tensor, " z"], b: Float[Tensor, " z"], t: Float[Tensor, " s"]) -> Float[Tensor, "s z"]:
    """Spherical interpolation (White 2016, section 2.1) at shares t of the way."""
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=0).clamp(-1, 1)
    angle, t = torch.arccos(cosine), t[:, None]
    if angle.sin().abs() < 1e-4:
        return a + t * (b - a)
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
