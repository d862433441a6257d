"""The storm: hundreds of games at rates, networks and losses that nobody chose, with and without the guardian.

Paper:  Tightrope's own, in the manner of Lucic et al., "Are GANs created equal?", NeurIPS 2018, arXiv:1711.10337 (the wide
        search) and of Gulrajani et al., "Improved training of Wasserstein GANs", 2017, arXiv:1704.00028, section 5.1 (random
        networks).
Run:    tightrope bench storm --configs 50 --seed 1 --data ring8,grid25
Time:   25 to 60 CPU seconds a configuration of points, 80 to 200 of images, for both arms
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tightrope.bench.protocol import Ask, Case, Figures, Result, Table

METHODS = {
    "reference": "the default recipe in the same budget, three seeds: what usable means",
    "alone": "the configuration as drawn, watched",
    "guarded": "the same, same seed and budget, with the guardian",
}
SEEDS = 40

DATA = ("ring8", "grid25", "fashion", "fashion-500")
POINTS = ("ring8", "grid25")
MOVES = {"ring8": 6_000, "grid25": 8_000, "fashion": 1_600, "fashion-500": 1_600}
# samples that are good enough, as a user would say it: what is usable, in the figures that are read in training
TARGETS = {
    "ring8": {"reach": 0.7, "faithful": 0.64}, "grid25": {"reach": 0.8, "faithful": 0.6},
    "fashion": {"coverage": 0.11}, "fashion-500": {"coverage": 0.065},
}  # fmt: skip
REFERENCES = 3


def drawn(storm: int, number: int, name: str) -> dict[str, Any]:
    """The fields of configuration `number` of a storm: the same on every machine."""
    dice = random.Random(f"storm {storm} {name} {number}")
    points = name in POINTS
    widths, depths = ((64, 128), (3, 4, 5)) if points else ((8, 16), (4, 6))
    activations = ("relu", "leaky", "softplus", "tanh")
    return {
        "game": dice.choice(("minimax", "non-saturating", "least-squares", "wgan", "wgan-gp", "dragan")),
        "lr_g": 10 ** dice.uniform(-5, -2), "lr_d": 10 ** dice.uniform(-5, -2), "beta1": min(dice.uniform(0, 1), 0.9999),
        "critic_steps": dice.choice((1, 5)), "clip": 10 ** dice.uniform(-3, 0), "weight": 10 ** dice.uniform(-1, 2),
        "g_depth": dice.choice(depths), "d_depth": dice.choice(depths),
        "g_width": dice.choice(widths), "d_width": dice.choice(widths),
        "g_activation": dice.choice(activations), "d_activation": dice.choice(activations),
        "g_norm": dice.random() < 0.5, "d_norm": dice.choice(("none", "batch", "layer")),
        "batch": dice.choice((64, 128) if points else (16, 32)), "z": 2 if points else 64,
    }  # fmt: skip


def cases(ask: Ask) -> list[Case]:
    """References first; then configuration by configuration, both arms."""
    names = ask.names or DATA
    found = []
    for number in range(ask.seeds):
        name = names[number % len(names)]
        fields = drawn(ask.storm, number, name)
        given = {"data": name, "moves": MOVES[name], "target": TARGETS.get(name, {}), "safer": True}
        if "reference" in ask.methods:
            for seed in range(REFERENCES):
                settings = {**given, "batch": fields["batch"], "target": {}, "safer": False}
                found.append(Case(benchmark="storm", method="reference", seed=seed, settings=settings))
        for method in ("alone", "guarded"):
            if method in ask.methods:
                settings = {**given, "storm": ask.storm, "fields": fields}
                if method == "alone":
                    settings |= {"target": {}, "safer": False}
                found.append(Case(benchmark="storm", method=method, seed=number, settings=settings))
    unique = {case.key: case for case in found}
    return sorted(unique.values(), key=lambda case: case.method != "reference")


def run(case: Case, folder: Path) -> Figures:
    from tightrope.bench import storming

    return storming.run(case)


def tables(results: list[Result]) -> list[Table]:
    from tightrope.bench import storm_tables

    return storm_tables.tables(results)
