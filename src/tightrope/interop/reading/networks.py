"""One network of a file, and the checks that its settings go with its tensors."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from tightrope.interop.reading.arrays import Tensor
from tightrope.interop.reading.errors import HostileFile, shown
from tightrope.interop.reading.limits import NETWORKS

SIDE = re.compile(r"(?:synthesis\.)?b(\d{1,5})\.|synthesis\.L\d+_(\d{1,5})_\d+\.weight$")  # of a block, of a layer of StyleGAN3


@dataclasses.dataclass(frozen=True)
class Net:
    """A network as it was found: the fields of `interop.found.Found`, and its name in the file."""

    name: str
    system: str
    state: Mapping[str, Tensor]
    hints: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a file holds: its kind in words, the licence of published files of the kind, its networks."""

    container: str
    licence: str | None
    nets: list[Net]


def counted(nets: list[Net]) -> None:
    """There may be `NETWORKS` of them."""
    if len(nets) > NETWORKS:
        raise HostileFile(f"it holds more than {NETWORKS} networks.")


def check(net: Net) -> None:
    """Settings may not describe a larger network than there are tensors of.

    Raises:
        HostileFile: they do.
    """
    if net.system.startswith("stylegan"):
        _check_sides(net)
        for name, found in _widths(net).items():
            if name in net.hints and net.hints[name] != found:
                raise HostileFile(
                    f"{shown(net.name)}: its setting {name} is {shown(net.hints[name])}, and its tensors have {found}."
                )


def _widths(net: Net) -> dict[str, int]:
    """Widths that tensors tell as well."""
    shapes = {name: tensor.shape for name, tensor in net.state.items()}
    first, average = shapes.get("mapping.fc0.weight", ()), shapes.get("mapping.w_avg", ())
    found = {"w_dim": average[0]} if len(average) == 1 else {}
    if len(first) == 2 and "mapping.embed.weight" not in shapes and net.system.endswith("generator"):
        found["z_dim"] = first[1]
    colours = shapes.get("synthesis.b4.torgb.weight", ()) if net.system == "stylegan2-generator" else ()
    return found | ({"img_channels": colours[0]} if colours else {})


def _check_sides(net: Net) -> None:
    """Resolution and channels, against StyleGAN2's blocks and StyleGAN3's layers that are there."""
    sides, widest = [4], 512
    for name, tensor in net.state.items():
        found = SIDE.match(name)
        if found:
            sides.append(int(found[1] or found[2]))
            widest = max(widest, *tensor.shape[:1], 0)
    inner = net.hints.get("synthesis_kwargs")
    settings = net.hints | (inner if isinstance(inner, dict) else {})
    side, base, most = settings.get("img_resolution", 4), settings.get("channel_base", 0), settings.get("channel_max", 512)
    if not isinstance(side, int) or side > max(sides):
        raise HostileFile(f"{shown(net.name)}: its setting img_resolution is {shown(side)}, and its tensors end at {max(sides)}.")
    wanted = min(base / 4, most) if isinstance(base, int | float) and isinstance(most, int) else 0
    if wanted > 2 * widest:
        raise HostileFile(f"{shown(net.name)}: its settings make {int(wanted):,} channels, and its tensors have {widest}.")
