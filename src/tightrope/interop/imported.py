"""Networks of other projects as generators: sampled, steered, exported like those that were trained here. Axis: N, Z, K, C H W.

`tightrope import` writes a network as tensors under the reference's keys, and in the header which system it is of. Here
that file becomes what `explore.Generator` needs: something like a recipe, and a DataSpec.
Run: `tightrope sample G_ema.safetensors --out samples --grid`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from tightrope.core.errors import InputError
from tightrope.core.game import Networks, Recipe
from tightrope.core.labels import weights
from tightrope.core.spec import DataSpec
from tightrope.core.styled import Styled
from tightrope.interop import systems
from tightrope.interop.published import Makes, Published


@dataclasses.dataclass(frozen=True)
class Imported:
    """What of a recipe a generator needs, for one network that was read.

    Attributes:
        net: the network, called as ours are.
        z: width of its latents, standard normal ones.
        CONDITIONAL: whether it makes samples of a class.
    """

    AVERAGED: ClassVar[tuple[str, ...]] = ("G",)
    COMPLETES: ClassVar[bool] = False

    net: nn.Module
    z: int
    CONDITIONAL: bool

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        """The one there is."""
        return {"G": self.net}

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        """Standard normal, (N, Z)."""
        return torch.randn(n, self.z, generator=generator)

    def sample(self, nets: Networks, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images, with the noise that is kept with the weights where a network adds some."""
        net: Any = nets["G"]
        if isinstance(nets["G"], Styled):
            return net(z, weights(labels, net.c_dim) if labels is not None else None, noise_mode="const")
        return net(z, labels) if self.CONDITIONAL else net(z)


Parts = tuple[Recipe, DataSpec, dict[str, Tensor], dict[str, str]]


def opened(header: Mapping[str, str], tensors: Mapping[str, Tensor]) -> Parts:
    """What `Generator` is made of: the recipe, the spec, the tensors by player, and the header with what it says to others.

    Args:
        header: of the file; `system`, and `hints` as JSON.
        tensors: under the reference's keys.

    Raises:
        InputError: the file is of no known system, is damaged, or holds a critic.
    """
    system = header.get("system", "")
    player = systems.player(system)
    if player.translates is not None:
        raise InputError(
            f"{system}: turns pictures into pictures; give it some with `tightrope translate FILE PICTURE --out OUT`."
        )
    if player.makes is None:
        raise InputError(f"{system}: judges samples and makes none; name the file of a generator, such as G_ema.safetensors.")
    built = systems.build(system, tensors, hints_of(header))
    net = built.net if isinstance(built, Published) else built
    makes = player.makes(net)
    recipe, spec = Imported(net, makes.z, bool(makes.classes)), spec_of(makes)
    said = {"recipe": system, "fields": "{}", "spec": json.dumps(spec.to_json()), "seen": "0"} | dict(header)
    # a generator asks no more of a recipe than is here
    return cast(Recipe, recipe), spec, {f"G/{key}": value for key, value in net.state_dict().items()}, said


def spec_of(makes: Makes) -> DataSpec:
    """The data that such a generator's samples look like; nothing says what its classes are called."""
    k = makes.classes
    return DataSpec(modality="images", shape=makes.shape, classes=tuple(map(str, range(k))), shares=(1 / k,) * k if k else ())


def hints_of(header: Mapping[str, str]) -> dict[str, Any]:
    """The constructor's arguments that a file's header says."""
    try:
        hints = json.loads(header.get("hints") or "{}")
    except ValueError as error:
        raise InputError(f"the header's hints are damaged ({error}); import the file again.") from None
    if not isinstance(hints, dict):
        raise InputError("the header's hints are damaged (no names); import the file again.")
    return hints
