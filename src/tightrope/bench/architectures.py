"""Random DCGAN variants: how many of 200 architectures a plain GAN trains, and how many WGAN-GP does.

Paper:  Gulrajani, Ahmed, Arjovsky, Dumoulin & Courville, "Improved training of Wasserstein GANs", NeurIPS 2017,
        arXiv:1704.00028, section 5.1, tables 1 and 2.
Run:    tightrope bench architectures
Time:   about 6 CPU hours for 200 architectures (400 cases); `--seeds 40` says nearly as much in a fifth of that

Depth, filters, nonlinearity and normalisation of each player are drawn at random (`tightrope.networks.variants`); "seeds" are
architectures. Scaled down: clothes of 16 px instead of ImageNet of 32 px, an eighth of the published filters, 400 updates of G at
batch 16 with five times the published rates instead of 100,000 updates. The score is the Inception Score's formula with the
classifier of clothes, 1 to 10; the thresholds are shares of the way from 1 to the score of real images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tightrope.bench.protocol import Ask, Case, Figures, Result, Table

METHODS = {"gan": "the plain game, DCGAN's rates", "wgan_gp": "Wasserstein loss with gradient penalty, five critic steps"}
SEEDS = 200

SIZE = 16
UPDATES = 400  # of G, at scale 1
FIELDS = {"shrink": 8, "faster": 5.0, "batch": 16}  # published filters divided, rates multiplied
SHARES = (0.0, 0.25, 0.5, 0.75, 0.9)  # thresholds: shares of the way from 1 to the real images' score
GAME = str(Path(__file__).parent / "games" / "variants.py")

# table 2: minimum score -> only GAN, only WGAN-GP, both succeeded, both failed
PUBLISHED = {1.0: (0, 8, 192, 0), 3.0: (1, 88, 110, 1), 5.0: (0, 147, 42, 11), 7.0: (1, 104, 5, 90), 9.0: (0, 0, 0, 200)}


def cases(ask: Ask) -> list[Case]:
    scale = ask.scale or 1.0
    settings = {"updates": round(scale * UPDATES), "scale": scale, "size": SIZE, "fields": FIELDS}
    return [
        Case(benchmark="architectures", method=method, seed=number, settings=settings)
        for number in range(ask.seeds)
        for method in ask.methods
    ]


def run(case: Case, folder: Path) -> Figures:
    """Train the architecture and score it; a game that breaks has the lowest score there is."""
    from tightrope import recipes
    from tightrope.bench.playing import fashion, judged, real_score, samples, trained
    from tightrope.core.errors import RunStopped

    recipe = recipes.find(GAME)(architecture=case.seed, penalty=case.method == "wgan_gp", **case.settings["fields"])
    steps = recipe.critic_steps if recipe.penalty else 1
    try:
        nets = trained(recipe, fashion(SIZE), seen=case.settings["updates"] * steps * recipe.batch, seed=case.seed)
        figures = judged(samples(recipe, nets, fashion(SIZE)))
    except RunStopped:
        figures = {"frechet": None, "class score": 1.0, "diverged": True}  # type: ignore[dict-item]
    return {**figures, "real score": real_score(SIZE), "architecture": _architecture(case.seed)}


def _architecture(number: int) -> dict[str, Any]:
    import dataclasses

    from tightrope.networks.variants import draw

    return {player: dataclasses.asdict(side) for player, side in zip("GD", draw(number), strict=True)}


def tables(results: list[Result]) -> list[Table]:
    found = []
    for scale in sorted({result.case.settings["scale"] for result in results}):
        some = [result for result in results if result.case.settings["scale"] == scale]
        scores = {(r.case.method, r.case.seed): r.figures["class score"] for r in some}
        both = [number for method, number in scores if method == "gan" and ("wgan_gp", number) in scores]
        real = some[0].figures["real score"]
        found += [_thresholds(scores, both, real, scale), _parts(scores, both, some, real)]
    head = ("minimum score", "only GAN", "only WGAN-GP", "both", "neither")
    rows = [(f"{least:g}", *map(str, counts)) for least, counts in PUBLISHED.items()]
    return [*found, Table(title="Published (table 2): 200 architectures, ImageNet at 32 px", head=head, rows=rows)]


def _thresholds(scores: dict[tuple[str, int], float], both: list[int], real: float, scale: float) -> Table:
    rows = []
    for share in SHARES:
        least = 1 + share * (real - 1)
        won = [(scores["gan", n] > least, scores["wgan_gp", n] > least) for n in both]
        counts = [won.count(kind) for kind in ((True, False), (False, True), (True, True), (False, False))]
        rows.append((f"{least:.2f} ({share:.0%})", *map(str, counts)))
    return Table(
        title=f"{len(both)} random architectures, {round(scale * UPDATES)} updates of G",
        head=("minimum score", "only GAN", "only WGAN-GP", "both", "neither"),
        rows=rows,
        notes=(
            f"Clothes at {SIZE} px, 1/8 of the published filters, batch 16, five times the published rates.",
            f"Scores lie in 1 to 10; 2,000 real images have {real:.2f}, and the share is of the way there.",
        ),
    )


def _parts(scores: dict[tuple[str, int], float], both: list[int], results: list[Result], real: float) -> Table:
    """What an architecture's parts do to success at half of the way."""
    least = 1 + 0.5 * (real - 1)
    drawn = {result.case.seed: result.figures["architecture"] for result in results}
    rows = []
    for player in "GD":
        for key in ("activation", "depth", "norm", "filters"):
            for value in sorted({drawn[n][player][key] for n in both}):
                mine = [n for n in both if drawn[n][player][key] == value]
                won = [np.mean([scores[method, n] > least for n in mine]) for method in METHODS]
                rows.append((f"{player} {key} {value}", str(len(mine)), *(f"{share:.0%}" for share in won)))
    return Table(title="Share that passes half of the way", head=("part", "architectures", "GAN", "WGAN-GP"), rows=rows)
