"""The published networks among ncnn's: RRDBNet that enlarges 4 times, and SRVGG with learned slopes. Told by what layers compute.

What a network would compute is built in the file's own graph: it is the network where both have the same number.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from tightrope.interop.reading.arrays import Tensor
from tightrope.interop.reading.errors import UnknownFile
from tightrope.interop.reading.limits import Budget
from tightrope.interop.reading.ncnn import OTHER, Graph, Network, read, total
from tightrope.interop.reading.networks import Contents, Net

DENSE = tuple(f"rdb{j}.conv{k}" for j in (1, 2, 3) for k in (1, 2, 3, 4, 5))  # of one block
BEFORE, AFTER = ("conv_first",), ("conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last")
SLOPE, RESIDUAL = 0.2, 0.2
NEAREST, CUBIC = 1, 3  # of Interp


def contents(data: memoryview, budget: Budget) -> Contents:
    """The one network of a file.

    Raises:
        UnknownFile: it is another.
    """
    network = read(data, budget)
    net = _rrdbnet(network) or _srvgg(network)
    if net is None:
        raise UnknownFile(f"{OTHER} (its layers hang together in another way).")
    return Contents("ncnn network", None, [net])


class _Writer:
    """Adds to a graph; convolutions come in order."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.places = graph, itertools.count()

    def convolved(self, x: int, rectified: bool = False) -> int:
        node = self.graph.node("convolution", next(self.places), x)
        return self.graph.node("rectified", SLOPE, node) if rectified else node

    def residual(self, x: int, y: int) -> int:
        return total(self.graph, (RESIDUAL, y), (1.0, x))

    def dense(self, x: int) -> int:
        known = [x]
        for _ in range(4):
            known.append(self.convolved(self.graph.node("concat", *known) if len(known) > 1 else x, True))
        return self.residual(x, self.convolved(self.graph.node("concat", *known)))

    def rrdb(self, x: int) -> int:
        return self.residual(x, self.dense(self.dense(self.dense(x))))


def _rrdbnet(network: Network) -> Net | None:
    blocks, rest = divmod(len(network.convolutions) - len(BEFORE) - len(AFTER), len(DENSE))
    if rest or blocks < 1 or network.slopes:
        return None
    write = _Writer(network.graph)
    y = first = write.convolved(network.graph.node("input"))
    for _ in range(blocks):
        y = write.rrdb(y)
    y = total(network.graph, (1.0, first), (1.0, write.convolved(y)))
    for _ in range(2):
        y = write.convolved(network.graph.node("resized", NEAREST, 2.0, y), True)
    if write.convolved(write.convolved(y, True)) != network.result:
        return None
    names = [*BEFORE, *(f"body.{i}.{name}" for i in range(blocks) for name in DENSE), *AFTER]
    return Net("G", "rrdbnet", dict(_named(network, names)), {})


def _named(network: Network, names: list[str]) -> Iterator[tuple[str, Tensor]]:
    for name, (weight, bias) in zip(names, network.convolutions, strict=True):
        yield f"{name}.weight", weight
        yield f"{name}.bias", bias


def _srvgg(network: Network) -> Net | None:
    """The ones for video that enlarge 2 or 3 times do so 4 times, and make the result smaller."""
    if not network.slopes or len(network.slopes) != len(network.convolutions) - 1:
        return None
    graph, write = network.graph, _Writer(network.graph)
    x = y = graph.node("input")
    for k in range(len(network.slopes)):
        y = graph.node("prelu", k, write.convolved(y))
    (first, _), (last, _) = network.convolutions[0], network.convolutions[-1]
    scale = math.isqrt(last.shape[0] // first.shape[1])
    enlarged = graph.node("resized", NEAREST, float(scale), x)
    y = total(graph, (1.0, graph.node("shuffled", scale, write.convolved(y))), (1.0, enlarged))
    final = next((n for n in range(1, scale) if graph.node("resized", CUBIC, n / scale, y) == network.result), scale)
    if final == scale and y != network.result:
        return None
    state = dict(_named(network, [f"body.{2 * k}" for k in range(len(network.convolutions))]))
    state |= {f"body.{2 * k + 1}.weight": slope for k, slope in enumerate(network.slopes)}
    ordered = sorted(state, key=lambda name: int(name.split(".")[1]))
    return Net("G", "srvgg", {name: state[name] for name in ordered}, {} if final == scale else {"outscale": final})
