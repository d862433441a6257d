"""Hyper-parameter settings A to F: which objectives and normalisations survive rates and betas that they were not tuned for.

Paper:  Miyato, Kataoka, Koyama & Yoshida, "Spectral normalization for generative adversarial networks", ICLR 2018,
        arXiv:1802.05957, section 4.1, table 1 and figure 1.
Run:    tightrope bench settings
Time:   about 3 CPU hours for 11 methods, 6 settings and 10 seeds (660 cases of some 15 seconds)

Scaled down: clothes of 16 px instead of CIFAR-10, DCGAN's networks of three layers with 16 channels, batch 32, and 500 updates of
G with five times the published rates instead of 100,000. The paper's figure is a bar chart without numbers; its claim is that
spectral normalisation works in all six settings and the others fail in some of D, E and F. A run is usable here when it has come
half of the way from an untrained generator to the data, by frechet[fashion-cnn].
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np

from tightrope.bench.pictures import heat_map
from tightrope.bench.protocol import Ask, Case, Figures, Result, Table

METHODS = {
    "spectral": "spectral normalisation, non-saturating loss",
    "spectral/hinge": "spectral normalisation, hinge loss",
    "none": "no normalisation, non-saturating loss",
    "batch": "batch normalisation, non-saturating loss",
    "layer": "layer normalisation, non-saturating loss",
    "weight": "weight normalisation, non-saturating loss",
    "gan-gp": "non-saturating loss with WGAN-GP's penalty",
    "wgan-gp": "Wasserstein loss with its penalty",
    "clip": "Wasserstein loss, weights clipped at 0.01",
    "r1": "non-saturating loss with R1 on every step",
    "relativistic/r1": "relativistic pairing with R1 on every step",
}
SEEDS = 10

SIZE = 16
UPDATES = 500  # of G, at scale 1
SETTINGS = {  # table 1: rate of both players, Adam's betas, critic steps
    "A": (1e-4, 0.5, 0.9, 5), "B": (1e-4, 0.5, 0.999, 1), "C": (2e-4, 0.5, 0.999, 1),
    "D": (1e-3, 0.5, 0.9, 5), "E": (1e-3, 0.5, 0.999, 5), "F": (1e-3, 0.9, 0.999, 5),
}  # fmt: skip
PLAYED: dict[str, dict[str, Any]] = {
    "spectral": {"objective": "non-saturating", "norm": "spectral"},
    "spectral/hinge": {"objective": "hinge", "norm": "spectral"},
    "none": {"objective": "non-saturating", "norm": "none"},
    "batch": {"objective": "non-saturating", "norm": "batch"},
    "layer": {"objective": "non-saturating", "norm": "layer"},
    "weight": {"objective": "non-saturating", "norm": "weight"},
    "gan-gp": {"objective": "non-saturating", "norm": "none", "penalty": "wgan-gp"},
    "wgan-gp": {"objective": "wasserstein", "norm": "none", "penalty": "wgan-gp"},
    "clip": {"objective": "wasserstein", "norm": "none", "penalty": "clip"},
    "r1": {"objective": "non-saturating", "norm": "none", "penalty": "r1", "penalty_weight": 0.5},
    "relativistic/r1": {"objective": "relativistic", "norm": "none", "penalty": "r1", "penalty_weight": 0.5},
}
SMALL = {"width": 16, "z": 32, "batch": 32, "ema": 0.0}
FASTER = 5.0  # than the published rates
UNTRAINED = 43.0  # distance of a generator at its start: 42.7 to 43.2 in four seeds
USABLE = UNTRAINED / 2  # half of the way from there to the data
FAILED = 1e3  # stands for the distance of a run that broke


def cases(ask: Ask) -> list[Case]:
    """Seed by seed, so that an early stop leaves a whole table."""
    scale = ask.scale or 1.0
    return [
        Case(benchmark="settings", method=method, seed=seed, settings=_case(method, setting, scale))
        for seed in range(ask.seeds)
        for method in ask.methods
        for setting in SETTINGS
    ]


def _case(method: str, setting: str, scale: float) -> dict[str, Any]:
    lr, beta1, beta2, steps = SETTINGS[setting]
    optimizer = {"lr": FASTER * lr, "beta1": beta1, "beta2": beta2, "critic_steps": steps}
    fields = {**SMALL, **PLAYED[method], **optimizer}
    return {"setting": setting, "updates": round(scale * UPDATES), "scale": scale, "size": SIZE, "fields": fields}


def run(case: Case, folder: Path) -> Figures:
    """Train and judge; a game that breaks has no distance."""
    from tightrope.bench.games.small_sngan import SmallSNGAN
    from tightrope.bench.playing import fashion, judged, samples, trained
    from tightrope.core.errors import RunStopped
    from tightrope.core.game import Recipe

    fields = case.settings["fields"]
    recipe, data = cast(Recipe, SmallSNGAN(**fields)), fashion(SIZE)
    seen = case.settings["updates"] * fields["critic_steps"] * recipe.batch
    try:
        nets = trained(recipe, data, seen=seen, seed=case.seed)
        return dict(judged(samples(recipe, nets, data)))
    except RunStopped:
        return {"frechet": None, "class score": 1.0, "diverged": True}


def distances(results: list[Result]) -> dict[tuple[str, str], list[float]]:
    """By method and setting."""
    found: dict[tuple[str, str], list[float]] = {}
    for result in results:
        value = result.figures["frechet"]
        key = result.case.method, result.case.settings["setting"]
        found.setdefault(key, []).append(FAILED if value is None else float(value))
    return found


def tables(results: list[Result]) -> list[Table]:
    made = []
    for scale in sorted({result.case.settings["scale"] for result in results}):
        found = distances([result for result in results if result.case.settings["scale"] == scale])
        notes = (
            f"A run is usable when its frechet[fashion-cnn] is below {USABLE}: half of the way from an untrained G to the data.",
            f"{round(scale * UPDATES):,} updates of G at batch 32 and {FASTER:g} times the published rates.",
        )
        head = ("method", "usable", *SETTINGS)
        usable = [_usable(method, found) for method in METHODS]
        medians = [_medians(method, found) for method in METHODS]
        made += [
            Table(title="Usable runs", head=head, rows=[row for row in usable if row], notes=notes),
            Table(title="Median distance", head=("method", *SETTINGS), rows=[row for row in medians if row]),
        ]
    return made


def _usable(method: str, found: dict[tuple[str, str], list[float]]) -> tuple[str, ...]:
    cells = [found.get((method, setting), []) for setting in SETTINGS]
    counts = [(sum(value < USABLE for value in cell), len(cell)) for cell in cells]
    if not any(total for _, total in counts):
        return ()
    good, every = (sum(column) for column in zip(*counts, strict=True))
    return (method, f"{good} of {every}", *(f"{good}/{total}" for good, total in counts))


def _medians(method: str, found: dict[tuple[str, str], list[float]]) -> tuple[str, ...]:
    cells = [found.get((method, setting), []) for setting in SETTINGS]
    if not any(cells):
        return ()
    return (method, *("–" if not c else "broke" if np.median(c) >= FAILED else f"{np.median(c):.1f}" for c in cells))


def picture(results: list[Result], out: Path) -> np.ndarray | None:
    """A heat map: dark cells are usable runs."""
    largest = max(result.case.settings["scale"] for result in results)
    found = distances([result for result in results if result.case.settings["scale"] == largest])
    methods = [method for method in METHODS if any(key[0] == method for key in found)]
    return heat_map(methods, list(SETTINGS), found, USABLE, UNTRAINED)
