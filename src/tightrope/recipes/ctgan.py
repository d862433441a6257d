"""Rows of a table around a category that is asked for: training by sampling, a Wasserstein critic of packs, gradient penalty.

Paper:  Xu, Skoularidou, Cuesta-Infante & Veeramachaneni, "Modeling tabular data using conditional GAN", NeurIPS 2019,
        arXiv:1907.00503; packing: Lin et al., "PacGAN", NeurIPS 2018, arXiv:1712.04086.
Run:    tightrope train ctgan adult.csv.gz
Expect: Adult, 10,000 rows, 6,000 steps, ten modes a number, two seeds: macro F1 .756 on held-out rows by learners of the rows
        made, where ctgan 0.12.1 reaches .733 (`benchmarks/tables.py`). Numbers are split into modes at quantiles, as many as
        the table's schema says (`modes = 10`); the paper fits a mixture of Gaussians to every column, for minutes. Without it,
        numbers of few values are split alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from tightrope.core.data import Dataset, Stratified
from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.networks.ctgan import CTGANCritic, CTGANGenerator, asked, category
from tightrope.networks.shapes import packed
from tightrope.objectives import wasserstein
from tightrope.objectives.shaping import pack
from tightrope.penalties import interpolated


@recipe
class CTGAN:
    """Algorithm 1 with the networks of section 4.4. What is known beyond one category, the rarest, is not looked at."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("table",)
    BUFFERS: ClassVar[str] = "copy"
    COMPLETES: ClassVar[bool] = True
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"toy": {"width": 16, "d_width": 16, "z": 4, "batch": 8, "pack": 2}}

    width: int = hyper(256, "units of each of G's layers", low=1, high=8192)
    depth: int = hyper(2, "residual layers of G", low=1, high=16)
    d_width: int = hyper(256, "units of each of D's layers", low=1, high=8192)
    d_depth: int = hyper(2, "hidden layers of D", low=1, high=16)
    dropout: float = hyper(0.5, "share of D's hidden units dropped", low=0.0, high=0.9)
    pack: int = hyper(10, "rows that D judges together (PacGAN); must divide the batch", low=1, high=64)
    temperature: float = hyper(0.2, "of the Gumbel softmax", low=0.01, high=10.0)
    z: int = hyper(128, "latent dimension", low=1, high=4096)
    penalty_weight: float = hyper(10.0, "weight of the gradient penalty (lambda)", low=0.0, high=1e4)
    critic_steps: int = hyper(1, "moves of D a move of G", low=1, high=100)
    lr: float = hyper(2e-4, "learning rate of both players", low=1e-7, high=1.0)
    beta1: float = hyper(0.5, "Adam's first decay rate", low=0.0, high=0.9999)
    beta2: float = hyper(0.9, "Adam's second decay rate", low=0.0, high=0.99999)
    decay: float = hyper(1e-6, "weight decay of G", low=0.0, high=1.0)
    batch: int = hyper(500, "rows of a batch", low=2, high=65536)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        packed(spec.shape, self.pack, self.batch)
        sizes: dict[str, Any] = {"width": self.width, "depth": self.depth, "temperature": self.temperature}
        judge: dict[str, Any] = {"width": self.d_width, "depth": self.d_depth, "pack": self.pack, "dropout": self.dropout}
        g = CTGANGenerator(self.z, spec.blocks, frequencies(spec), **sizes)
        return {"G": g, "D": CTGANCritic(spec.blocks, **judge)}

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr, beta1=self.beta1, beta2=self.beta2) for player in ("G", "D")}

    def phases(self) -> tuple[Phase, ...]:
        return alternating(self.d_terms, self.g_terms, self.critic_steps, shared=False)

    def drawn(self, dataset: Dataset, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Training by sampling (section 4.3): a column by equal chances, of its categories one by the logarithm of its
        frequency, of the rows that have it any. That category is what is known."""
        strata, known = cast(Stratified, dataset).strata, torch.full((len(index), *dataset.spec.shape), float("nan"))
        blocks = asked(dataset.spec.blocks)
        if not blocks:
            return index, known
        among = torch.tensor([strata.blocks.index(block) for block in blocks])
        which = torch.randint(len(blocks), (len(index),), generator=generator)
        value = strata.values(among[which], generator)
        start, size = (torch.tensor([getattr(block, key) for block in blocks])[which, None] for key in ("start", "size"))
        number = torch.arange(known.shape[1])
        known.masked_fill_((number >= start) & (number < start + size), 0.0).scatter_(1, start + value[:, None], 1.0)
        return strata.draw(among[which], value, generator), known

    def critic(self, nets: Networks, labels: Tensor | None) -> Callable[[Tensor], Tensor]:
        return lambda rows: nets["D"](rows, labels)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        place, d = _category(nets, batch), nets["D"]
        fake = nets["G"](batch.z, place)  # without a graph: G does not move here
        both = None if place is None else torch.cat([place, place])
        on_real, on_fake = d(torch.cat([batch.real, fake]), both).chunk(2)  # D mixes no packs
        real_packs, fake_packs = (pack(rows, self.pack) for rows in (batch.real, fake))
        slopes = interpolated(lambda x: d(x.view(batch.real.shape), place), real_packs, fake_packs)
        return Terms(
            adversarial=wasserstein.d(on_real, on_fake), penalty=knobs.penalty * self.penalty_weight * slopes.mean()
        ).watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        place = _category(nets, batch)
        fake, missed = cast(CTGANGenerator, nets["G"]).learned(batch.z, place)
        terms = Terms(adversarial=wasserstein.g(nets["D"](fake, place), None), condition=missed)
        if self.decay:  # as a loss: Adam divides it as it does the others
            terms["decay"] = self.decay / 2 * torch.stack([p.square().sum() for p in nets["G"].parameters()]).sum()
        return terms


def _category(nets: Networks, batch: Batch) -> Tensor | None:
    """What `drawn` said of each row; the first of all categories, where a batch comes from elsewhere."""
    places = cast(CTGANGenerator, nets["G"]).conditions.places
    known = torch.zeros_like(batch.real) if batch.labels is None else batch.labels
    return category(known, places)


def frequencies(spec: DataSpec) -> list[Tensor]:
    """How often each category of each column is in the data; all alike where the spec does not say."""
    counts = {column["name"]: column["counts"] for column in spec.coding.get("columns", ()) if column.get("counts")}
    found = []
    for column in dict.fromkeys(block.column for block in asked(spec.blocks)):
        sizes = [block.size for block in asked(spec.blocks) if block.column == column]
        many = torch.ones(sizes) if column not in counts else torch.zeros(sizes)
        if column in counts:
            many.view(-1)[: len(counts[column])] = torch.tensor(counts[column], dtype=torch.float32)
        found += [many.movedim(i, 0).reshape(size, -1).sum(1) for i, size in enumerate(sizes)]
    return found
