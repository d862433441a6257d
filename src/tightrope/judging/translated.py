"""Runs that make pictures of pictures: how near those are to the pictures wanted, and how near the given ones were already.

Where the pictures wanted are known (pairs, or pairs hidden from a recipe that trains without them): LPIPS, L1, PSNR, SSIM.
Without pairs in training: what becomes of a picture of the target domain (Taigman et al. 2017, "Unsupervised cross-domain image
generation", equation 5), and of one that goes there and back (Zhu et al. 2017, "Unpaired image-to-image translation",
equation 2). Always: the Frechet distance of what is made.

Axes: n pictures, C channels, H W pixels.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.given import pictures_of
from tightrope.core.spec import DataSpec
from tightrope.core.translation import Translating, Translator
from tightrope.explore.generator import Generator
from tightrope.judging import gallery
from tightrope.judging.answers import BATCH, MOST, TRIVIAL, Pictures, Scored, collected, what_is_scored
from tightrope.judging.lpips import rgb
from tightrope.judging.pairing import Progress
from tightrope.judging.subjects import Case
from tightrope.metrics import judge
from tightrope.metrics.extractor import Extractor
from tightrope.metrics.intervals import bootstrap
from tightrope.metrics.paired import WINDOW, l1, psnr, ssim
from tightrope.metrics.perceptual import Lpips, load_lpips
from tightrope.metrics.protocol import Record, record

CEILING = 100.0  # dB: of equal pictures, whose PSNR is infinite
HIGHER = ("PSNR", "SSIM")  # is better
Answer = Callable[[Float[Tensor, "n *given"]], Float[Tensor, "n *x"]]
Figures = dict[str, Float[Tensor, " n"]]  # by name, a number a picture


def records(
    case: Case, extractor: Extractor | None, seed: int = 0, *,
    quick: bool = False, shown: bool = True, progress: Progress | None = None,
) -> list[Record]:  # fmt: skip
    """All figures of a run that translates.

    Args:
        extractor: whose features the Frechet distance compares; None leaves it out.
        quick: the Frechet distance alone.
        shown: a run's best, median and worst cases go into its folder `judged`, in place of those that are there.
    """
    generator = case.subject.generator
    assert generator is not None
    scored = what_is_scored(case, generator)
    with torch.random.fork_rng(devices=[]):  # a network may draw noise, as Pix2Pix's does: the same in every evaluation
        torch.manual_seed(seed)
        pictures = collected(generator, scored, case.data, case.asked, progress)
    protocol: Record = {"scored on": f"{scored.name}, {len(pictures.made)} pictures", "pixels": case.data.spec.size}
    protocol |= {"quantised": "uint8", "seed": seed}
    notes = ["nothing was held out: these are pictures that training has seen, which flatters the run."] if scored.seen else []
    found = _distances(case, extractor, pictures, protocol)
    if not quick:
        figures, trivial, said = _figures(pictures, case.data.spec)
        found += [_compared(name, figures[name], trivial[name], protocol, seed) for name in figures]
        found += _errors(generator, scored, case.data.spec, protocol, seed)
        notes += said
        if case.subject.run is not None and shown:
            gallery.save(case.subject.run.path, pictures, figures, trivial, scored.name)
    if not found:
        raise InputError(f"{case.subject.name}: {len(pictures.made)} pictures of {scored.name} are too few to be judged by.")
    found[0] = found[0] | ({"notes": [*found[0].get("notes", []), *notes]} if notes else {})
    return [({} if case.subject.seen is None else {"seen": case.subject.seen}) | entry for entry in found]


# ---------------------------------------------------------------- the distance of all
def _distances(case: Case, extractor: Extractor | None, pictures: Pictures, protocol: Record) -> list[Record]:
    """The Frechet distance of what is made, and of what is given, from the data's own pictures."""
    if extractor is None or len(pictures.made) < 2 or len(case.data) < 4:
        return []

    def figures(stored: np.ndarray) -> list[Record]:
        return judge.evaluate(
            lambda start, n: _tensors(stored[start : start + n]).float() / 127.5 - 1, case.data, count=len(stored),
            references=case.asked, extractor=extractor, seed=protocol["seed"], quick=True,
        )  # fmt: skip

    usual = {entry["name"]: entry for entry in figures(pictures.trivial)}
    made = figures(pictures.made)
    return [entry | _beside(usual[entry["name"]]) | {"protocol": entry["protocol"] | protocol} for entry in made]


def _beside(usual: Record) -> Record:
    """What the trivial answer reaches in the same figure."""
    interval = {"interval": usual["interval"]} if "interval" in usual else {}
    return {"trivial": {"value": usual["value"], **interval, "answer": TRIVIAL}}


# ---------------------------------------------------------------- picture by picture
def _figures(pictures: Pictures, spec: DataSpec) -> tuple[Figures, Figures, list[str]]:
    """Of what is made and of the trivial answer, a number a picture; what has to be said."""
    if pictures.wanted is None:
        return {}, {}, []
    lpips, notes = _lpips()
    scale = spec.size // spec.given[-1] if spec.given else 1
    wanted = _tensors(pictures.wanted)
    made, trivial = (figures_of(_tensors(x), wanted, lpips, scale) for x in (pictures.made, pictures.trivial))
    return made, trivial, notes


def _lpips() -> tuple[Lpips | None, list[str]]:
    try:
        return load_lpips("alex"), []
    except InputError as error:
        return None, [f"LPIPS was left out: {error}"]


def figures_of(made: UInt8[Tensor, "n C H W"], wanted: UInt8[Tensor, "n C H W"], lpips: Lpips | None, scale: int) -> Figures:
    """Every figure that pictures of this size have; of enlarged ones also on Y, inside a border as wide as the scale."""
    found: Figures = {}
    if lpips is not None:
        pairs = zip(made.split(BATCH), wanted.split(BATCH), strict=True)
        found[f"LPIPS[{lpips.id}]"] = torch.cat([lpips(_seen(a), _seen(b)) for a, b in pairs])
    found["L1"] = l1(made, wanted)
    found["PSNR"] = psnr(made, wanted).clamp(max=CEILING)
    if min(made.shape[2:]) >= WINDOW:
        found["SSIM"] = ssim(made, wanted)
    if scale > 1 and made.shape[1] == 3 and min(made.shape[2:]) - 2 * scale >= WINDOW:
        found["PSNR of Y"] = psnr(made, wanted, luma=True, border=scale).clamp(max=CEILING)
        found["SSIM of Y"] = ssim(made, wanted, luma=True, border=scale)
    return found


def _seen(stored: Tensor) -> Tensor:
    return rgb(stored.float() / 127.5 - 1)


def _compared(name: str, values: Tensor, usual: Tensor, protocol: Record, seed: int) -> Record:
    """The mean over pictures with its bootstrap interval, that of the trivial answer, and how often it is beaten."""
    better = "higher" if name.startswith(HIGHER) else "lower"
    beaten = (values > usual if better == "higher" else values < usual).double().mean().item()
    entry = _mean(name, values, better, protocol | _rule(name), seed)
    beside = _beside(_mean(name, usual, better, {}, seed))
    beside["trivial"] |= {"beaten": beaten}
    return entry | beside


def _mean(name: str, values: Tensor, better: str, protocol: Record, seed: int) -> Record:
    found = bootstrap(lambda x: x.mean().item(), values.double(), seed=seed)
    spread = {"n": len(values), "interval": "bootstrap over pictures"}
    return record(name, found.value, better, protocol | spread, interval=(found.low, found.high))


def _rule(name: str) -> Record:
    """What two values of a figure must share beside the rest."""
    if name.startswith("LPIPS"):
        return {"network": "alex 0.1"}
    if name.startswith("PSNR"):
        return {"mean of": f"dB, at most {CEILING:.0f} a picture"}
    return {"window": f"{WINDOW} px, sigma 1.5"} if name.startswith("SSIM") else {"range": "0 to 1"}


def _tensors(stored: UInt8[np.ndarray, "n H W C"]) -> UInt8[Tensor, "n C H W"]:
    return torch.from_numpy(stored).permute(0, 3, 1, 2)


# ---------------------------------------------------------------- without pairs
def _errors(generator: Generator, scored: Scored, spec: DataSpec, protocol: Record, seed: int) -> list[Record]:
    """|G(b) - b| of pictures b of the target domain; where there is a way back |F(G(a)) - a| of those given, and so from b."""
    if spec.paired:
        return []
    recipe = generator.recipe
    ways = list((recipe.translators(generator.nets) if isinstance(recipe, Translating) else {}).items())
    there, g = ways[0][0] if ways else generator.name, generator.decode
    asked: list[tuple[str, Answer, bool]] = [(f"identity error[{there}]", g, False)]
    if len(ways) == 2:
        back, other = ways[1]
        f = functools.partial(through, other)
        asked += [
            (f"cycle error[{there}, {back}]", lambda a: f(g(a)), True),
            (f"identity error[{back}]", f, True),
            (f"cycle error[{back}, {there}]", lambda b: g(f(b)), False),
        ]
    if spec.given != spec.shape:  # a picture of one domain cannot be given where one of the other is due
        asked = [entry for entry in asked if not entry[0].startswith("identity")]
    return [
        _mean(title, _moved(answer, scored, given, protocol["seed"]), "lower", protocol | {"range": "0 to 1"}, seed)
        for title, answer, given in asked
    ]


def _moved(answer: Answer, scored: Scored, given: bool, seed: int) -> Float[Tensor, " n"]:
    """Mean absolute difference between pictures, given or of the target domain, and what becomes of them, in 0 to 1."""
    found = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for part in scored.parts:
            many = pictures_of(part).givens if given else len(part)
            for some in judge.spread_index(many, MOST).split(BATCH):
                x = pictures_of(part).given(some) if given else part.batch(some)
                found.append((answer(x).clamp(-1, 1) - x).abs().flatten(1).mean(1) / 2)
    return torch.cat(found)


@torch.no_grad()
def through(way: Translator, x: Float[Tensor, "n C H W"]) -> Float[Tensor, "n c H W"]:
    """Pictures in [-1, 1] through a network, whatever its black is."""
    dark = way.darkest
    made = way.net((x + 1) / 2 * (1 - dark) + dark).float()
    return (made - dark) / (1 - dark) * 2 - 1
