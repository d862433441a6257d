"""A latent as a file: found by projection or drawn, to be sampled from and steered with wherever latents are taken.

Safetensors: the tensor `latent`, perhaps `label` and one `noise/NAME` a noise map; the header says the space, the generator's
hash and what is known of the picture. Nothing in it can run code. Axes: Z latent, L layers, W style, N latents.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically
from tightrope.explore import noise_maps
from tightrope.explore.generator import Generator
from tightrope.explore.search_spaces import Name
from tightrope.explore.spaces import styled

FORMAT = "tightrope-latent-1"
NOISE = "noise/"


@dataclasses.dataclass(frozen=True)
class Latent:
    """One point of a generator's space.

    Attributes:
        space: "z": values (Z,); "w": (1, W), the same style for every layer; "w+": (L, W).
        values: the point.
        label: the class it was found for, (); None where there is none.
        maps: noise maps of its own, (1, H, W) by buffer; empty: the generator's constant ones.
        generator: `fingerprint` of the generator that it belongs to.
        facts: what else is known: the picture, the distance.
    """

    space: Name
    values: Float[Tensor, "*x"]
    label: Int64[Tensor, ""] | None = None
    maps: Mapping[str, Float[Tensor, "1 H W"]] = dataclasses.field(default_factory=dict)
    generator: str = ""
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def fingerprint(generator: Generator) -> str:
    """sha256 of the networks' tensors: the same weights have the same one, wherever their file is."""
    digest = hashlib.sha256()
    for player, net in sorted(generator.nets.items()):
        for name, value in sorted(net.state_dict().items()):
            digest.update(f"{player}/{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def write_latent(path: Path, latent: Latent) -> None:
    """Write a latent as safetensors."""
    tensors = {"latent": latent.values} | {NOISE + name: x for name, x in latent.maps.items()}
    tensors |= {} if latent.label is None else {"label": latent.label}
    header = {"format": FORMAT, "space": latent.space, "generator": latent.generator, "facts": json.dumps(dict(latent.facts))}
    whole = {name: x.detach().cpu().contiguous() for name, x in tensors.items()}
    write_atomically(path, lambda partial: save_file(whole, partial, header))


def read_latent(path: str | Path) -> Latent:
    """Read a file of `write_latent`.

    Raises:
        InputError: no such file, or not a latent.
    """
    try:
        with safe_open(Path(path), framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                raise InputError(f"{path}: is not a latent (its header names no such format); `tightrope project` writes them.")
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        values, label = tensors.pop("latent"), tensors.pop("label", None)
        maps = {name.removeprefix(NOISE): x for name, x in tensors.items()}
        space, facts = header["space"], json.loads(header["facts"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        first = str(error).partition("\n")[0]
        raise InputError(f"{path}: cannot be read as a latent ({first}); `tightrope project` writes them.") from error
    if space not in ("z", "w", "w+"):
        raise InputError(f"{path}: is a latent of the space {space!r}; z, w and w+ are known.")
    return Latent(space, values, label, maps, header["generator"], facts)


@torch.no_grad()
def draw(generator: Generator, latents: Sequence[Latent]) -> Float[Tensor, "N C H W"]:
    """The generator's images at latents, one by one.

    Raises:
        InputError: a latent of another shape than the generator's, or of a space that it has not.
    """
    return torch.cat([_image(generator, latent) for latent in latents])


def _image(generator: Generator, latent: Latent) -> Float[Tensor, "1 C H W"]:
    net = styled(generator)
    layers, width = (net.num_ws, net.w_dim) if net else (0, 0)
    z = generator.recipe.latents(1, torch.Generator())
    wanted = {"z": tuple(z.shape[1:]), "w": (1, width), "w+": (layers, width)}[latent.space]
    if tuple(latent.values.shape) != wanted or (latent.space != "z" and net is None):
        found = f"of {latent.space} and has the shape {tuple(latent.values.shape)}"
        has = f"of {wanted}" if net or latent.space == "z" else "in z alone"
        raise InputError(f"the latent is {found}; recipe {generator.name} takes latents {has}: give one of this generator.")
    if latent.space == "z" or net is None:
        label = latent.label[None] if latent.label is not None and generator.recipe.CONDITIONAL else None
        return generator.decode(latent.values[None], label)
    known = dict(net.synthesis.named_buffers())
    if any(name not in known or known[name].shape != x.shape[1:] for name, x in latent.maps.items()):
        raise InputError(f"the latent has noise maps that recipe {generator.name} does not take: give one of this generator.")
    maps = {name: x[None] for name, x in latent.maps.items()}
    return noise_maps.synthesise(net.synthesis, latent.values[None].expand(-1, layers, -1), maps).float().cpu()
