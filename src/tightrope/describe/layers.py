"""A network as a table that people can read: its layers in the order they stand in, equal neighbours folded into one row."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

import torch
from torch import nn

from tightrope.report.described import Layer

MOST = 26  # rows of a table, before blocks are shown as one row each
LISTS = ("Sequential", "ModuleList", "ModuleDict")  # always opened
HIDDEN = "parametrizations"  # torch's place for the workings of a constrained weight


@dataclasses.dataclass(frozen=True)
class Passing:
    """What one forward pass told of a module: its output's shape without the batch, and its FLOPs a sample."""

    shape: tuple[int, ...]
    flops: float


@dataclasses.dataclass
class Node:
    """A module with what lies in it; a parameter that belongs to no layer is a node too."""

    path: str
    kind: str
    parameters: int
    passing: Passing | None
    parts: list[Node]

    def alike(self, other: Node) -> bool:
        """Equal but for the path."""
        facts, theirs = (self.kind, self.parameters, self.passing), (other.kind, other.parameters, other.passing)
        pairs = zip(self.parts, other.parts, strict=False)
        return facts == theirs and len(self.parts) == len(other.parts) and all(a.alike(b) for a, b in pairs)


def layers_of(net: nn.Module, passings: Mapping[str, Passing]) -> tuple[Layer, ...]:
    """The rows of a network. Blocks are opened up to their layers, unless that makes too many rows.

    Args:
        passings: of one forward pass, by the module's path.
    """
    root = _node("", net, passings)
    for depth in (99, 3, 2, 1):
        rows = _merged(_rows([root], depth))
        if len(rows) <= MOST:
            break
    return tuple(rows)


def _node(path: str, module: nn.Module, passings: Mapping[str, Passing]) -> Node:
    inner = [(name, part) for name, part in module.named_children() if name != HIDDEN]
    prefix = f"{path}." if path else ""
    parts = [_node(prefix + name, part, passings) for name, part in inner]
    if inner:
        own = [(name, p) for name, p in module.named_parameters(recurse=False)]
        parts = [Node(prefix + name, "parameter", p.numel(), Passing(tuple(p.shape), 0.0), []) for name, p in own] + parts
    return Node(path, kind(module), sum(p.numel() for p in module.parameters()), passings.get(path), parts)


def _rows(nodes: list[Node], depth: int) -> list[Layer]:
    """Rows of siblings; equal neighbours become one row each of their parts, with the number of times."""
    rows: list[Layer] = []
    index = 0
    while index < len(nodes):
        node, times = nodes[index], 1
        while index + times < len(nodes) and node.parameters and node.alike(nodes[index + times]):
            times += 1
        shown = [node] if times == 1 else [_renamed(node, node.path, _folded(node.path, nodes[index + times - 1].path))]
        for one in shown:
            if one.parts and (depth > 0 or one.kind in LISTS):
                rows += [_times(row, times) for row in _rows(one.parts, depth - (one.kind not in LISTS))]
            elif one.kind != "Identity":
                rows.append(_times(_layer(one), times))
        index += times
    return rows


def _layer(node: Node) -> Layer:
    shape, flops = (node.passing.shape, node.passing.flops) if node.passing else (None, None)
    return Layer(path=node.path, kind=node.kind, times=1, shape=shape, parameters=node.parameters, flops=flops)


def _times(row: Layer, times: int) -> Layer:
    flops = None if row.flops is None else row.flops * times
    return dataclasses.replace(row, times=row.times * times, parameters=row.parameters * times, flops=flops)


def _folded(first: str, last: str) -> str:
    """ "a.0" and "a.2" -> "a.{0-2}"."""
    stem, _, begin = first.rpartition(".")
    end = last.rpartition(".")[2]
    dash = "-" if begin.isdigit() and end.isdigit() and int(end) > int(begin) + 1 else ","
    return f"{stem}.{{{begin}{dash}{end}}}".lstrip(".")


def _renamed(node: Node, old: str, new: str) -> Node:
    parts = [_renamed(part, old, new) for part in node.parts]
    return dataclasses.replace(node, path=new + node.path.removeprefix(old), parts=parts)


def _merged(rows: list[Layer]) -> list[Layer]:
    """A layer without parameters joins the row before it, where it keeps the shape (rectifiers)."""
    merged: list[Layer] = []
    for row in rows:
        before = merged[-1] if merged else None
        quiet = not row.parameters and not row.flops and row.kind != "parameter"
        if before and quiet and _together(before, row):
            said = not row.shape or before.kind.endswith(row.kind)
            merged[-1] = dataclasses.replace(before, kind=before.kind if said else f"{before.kind}, {row.kind}")
        elif row.parameters or row.flops or row.shape is not None:
            merged.append(row)
    return merged


def _together(a: Layer, b: Layer) -> bool:
    """Neighbours in one module, of one shape."""
    same = a.path.rpartition(".")[0] == b.path.rpartition(".")[0] and a.times == b.times
    return same and a.shape is not None and b.shape in (a.shape, None)


def kind(module: nn.Module) -> str:
    """A module in words: "Conv2d 4x4, half the size", "BatchNorm2d", "Block"."""
    name = re.sub(r"^(Parametrized)?(Fast)?", "", type(module).__name__)
    if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)):
        size = "x".join(map(str, module.kernel_size))
        stride = int(module.stride[0])
        steps = "" if stride == 1 else f", size x{stride}" if isinstance(module, nn.ConvTranspose2d) else f", size /{stride}"
        groups = "" if module.groups == 1 else f", {module.groups} groups"
        return f"{name} {size}{steps}{groups}{_constraint(module)}"
    return name + _constraint(module)


def _constraint(module: nn.Module) -> str:
    """What torch's parametrizations or forward hooks do to its weight."""
    parametrized = getattr(module, HIDDEN, None)
    if not isinstance(parametrized, nn.ModuleDict):
        hooks = [type(hook).__name__ for hook in module._forward_pre_hooks.values()]
        return ", spectral norm" if "SpectralNorm" in hooks else ""
    chains = [chain for chain in parametrized.values() if isinstance(chain, nn.ModuleList)]
    names = [type(part).__name__.lstrip("_") for chain in chains for part in chain]
    words = [re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower() for name in names]
    return "".join(f", {word}" for word in dict.fromkeys(words))


def numbers(net: nn.Module) -> tuple[int, int]:
    """(parameters, numbers in buffers)."""
    return sum(p.numel() for p in net.parameters()), sum(b.numel() for b in net.buffers())


def shape_of(out: object) -> tuple[int, ...] | None:
    """The shape of a module's output without the batch; of the first tensor where there are several."""
    if isinstance(out, torch.Tensor):
        return tuple(out.shape[1:])
    if isinstance(out, (tuple, list)) and out:
        return shape_of(out[0])
    return None
