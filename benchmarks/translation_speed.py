"""Speed of translation: a training step of `pix2pix` at 256 px and of `cyclegan` at 128 px against the published networks in a
plain fp32 loop, and `translate` with the ResNet of nine blocks against the network called eagerly in fp32.

    python benchmarks/translation_speed.py --threads 2

Networks, batch of one and losses are the published ones on both sides. The two take turns, step by step, in one process; each
precision that a run may choose is timed, and the better median counts, as a run's probe would choose it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import plain_cyclegan
import plain_pix2pix
import torch

from tightrope import recipes, translate
from tightrope.core.game import Batch, Knobs
from tightrope.core.spec import DataSpec
from tightrope.networks.described import described
from tightrope.networks.translation import ResNetTranslator
from tightrope.training.engine import Engine
from tightrope.training.game import Game
from tightrope.training.loop import move
from tightrope.training.meter import Meter

Step = Callable[[], object]
Clock = Callable[[], float]


def ours(name: str, size: int, precision: str, **fields: Any) -> Step:
    """A round of a recipe's paper preset on noise, the weight average and all."""
    header = recipes.header(name)
    recipe: Any = recipes.find(name)(**header.resolve("paper", fields))
    modality = recipe.MODALITIES[0]
    spec = DataSpec(modality=modality, shape=(3, size, size), given=(3, size, size), count=1)
    engine, meter = Engine("cpu", precision), Meter()
    game = Game(recipe, spec, engine, 0)
    real, given = (engine.bring(torch.rand(1, 3, size, size) * 2 - 1) for _ in range(2))

    def step() -> None:
        batch = Batch(real, given, None, game.round)
        for phase in recipe.phases():
            move(game, batch, phase, Knobs(), meter)
        game.round += 1
        game.average.update(0.0, 1)

    return step


def plain(loop: Any, size: int) -> Step:
    given, real = (torch.rand(1, 3, size, size) * 2 - 1 for _ in range(2))
    return lambda: loop.learn(given, real)


def compare(title: str, arms: dict[str, Step], repeats: int, clock: Clock) -> None:
    """Times of "plain" and the others in turns; one line."""
    times: dict[str, list[float]] = {name: [] for name in arms}
    for repeat in range(repeats + 1):
        for name, step in arms.items():
            start = clock()
            step()
            if repeat:  # the first warms up
                times[name].append(clock() - start)
    base = times.pop("plain")
    for name, own in times.items():
        ratios = sorted(a / b for a, b in zip(base, own, strict=True))
        print(
            f"{title}  plain {statistics.median(base) * 1000:.0f} ms, {name} {statistics.median(own) * 1000:.0f} ms; "
            f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}); load {os.getloadavg()[0]:.1f}",
            flush=True,
        )


def training(name: str, size: int, precisions: list[str], repeats: int, clock: Clock) -> None:
    """A training step."""
    if name == "pix2pix":
        loop, fields = plain_pix2pix.PlainLoop(*torch.zeros(2, 1, 3, size, size)), {}
    else:
        loop, fields = plain_cyclegan.PlainLoop(blocks=6), {"blocks": 6}
    arms = {"plain": plain(loop, size)}
    arms |= {precision: ours(name, size, precision, **fields) for precision in precisions}
    compare(f"{name}, a step at {size} px", arms, repeats, clock)


def translating(size: int, repeats: int, clock: Clock) -> None:
    """`tightrope translate` of a picture in memory, bytes to bytes, against the published network called on a tensor."""
    torch.manual_seed(0)
    published = plain_cyclegan.generator(blocks=9).apply(plain_cyclegan.initialise).eval()
    network = described(ResNetTranslator(blocks=9).requires_grad_(False), "cyclegan")
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        arms: dict[str, Step] = {"plain": lambda: published(x), "translate": lambda: translate.array(network, pixels)}
        compare(f"ResNet-9 at {size} px", arms, repeats, clock)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--what", nargs="+", default=["pix2pix", "cyclegan", "translate"])
    parser.add_argument("--cpu", action="store_true", help="count the process's CPU time: with one thread, where others run too")
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"])
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu else time.perf_counter
    torch.set_num_threads(arguments.threads)
    print(f"load before: {os.getloadavg()[0]:.2f}; {arguments.threads} threads; torch {torch.__version__}")
    if "pix2pix" in arguments.what:
        training("pix2pix", 256, arguments.precisions, arguments.repeats, clock)
    if "cyclegan" in arguments.what:
        training("cyclegan", 128, arguments.precisions, arguments.repeats, clock)
    if "translate" in arguments.what:
        translating(256, arguments.repeats, clock)


if __name__ == "__main__":
    main()
