"""How a run is done: what `train` takes besides the recipe, the data and the budget."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from tightrope.balance.decision import MODES
from tightrope.core.errors import InputError
from tightrope.metrics.online import FIGURES
from tightrope.training.engine import PRECISIONS
from tightrope.training.events import Listener


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """How a run is done, apart from what is trained on what for how long.

    Attributes:
        runs: folder in which numbered run directories are made.
        size: pixels of the side images are brought to; None lets the data decide.
        device: "cpu", "cuda", "cuda:1" ...; None takes the accelerator where there is one.
        precision: "fp32", "bf16", or "auto" for the one a short measurement finds faster.
        threads: of the CPU; None leaves torch's choice.
        tick: samples between two records; None makes about 60 a run, 20 seconds apart at most.
        checkpoint_minutes: wall time between two checkpoints.
        judge: number of samples the metrics at the end are computed on; 0 skips them.
        watch: looks at the samples during training (coverage, recall, duplicates ...), for at most 2 % of the time.
        look: ticks between two such looks; None for as many as their share of the time allows.
        guard: "act": the guardian watches and acts; "watch": it only says what it sees; "off".
        allow_safer: it may change the objective for the relativistic game with R1 and R2.
        enough: figures of the samples that are good enough, name to least value ({"coverage": 0.6}); the guardian works towards
            them. Empty: it sees to it that nothing breaks.
        until: "converged" ends the run where more training does not help.
        held_out: real data that is not trained on: shows whether D learns its data by heart.
        start: trained weights to start from: a run, or a file or directory of `tightrope import`; see `tightrope.transfer`.
        freeze: D's first layers, counted from the sample, that keep those weights.
        care: looks for what is wrong before the start, and warns.
        rate_test: also tries out which learning rates each player can use, in some seconds.
        listeners: called with every event.
        command: as the user typed it, for the record.
    """

    runs: Path = Path("runs")
    size: int | None = None
    device: str | None = None
    precision: str = "auto"
    threads: int | None = None
    tick: int | None = None
    checkpoint_minutes: float = 2.0
    judge: int = 10_000
    watch: bool = True
    look: int | None = None
    guard: str = "act"
    allow_safer: bool = False
    enough: Mapping[str, float] = dataclasses.field(default_factory=dict)
    until: str | None = None
    held_out: str | Path | None = None
    start: str | Path | None = None
    freeze: int | None = None
    care: bool = True
    rate_test: bool = False
    listeners: tuple[Listener, ...] = ()
    command: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.precision not in ("auto", *PRECISIONS):
            raise InputError(f"--precision {self.precision}: choose auto, {', '.join(PRECISIONS)}.")
        if self.guard not in MODES:
            raise InputError(f"--guard {self.guard}: choose {', '.join(MODES)}.")
        if self.until not in (None, "converged"):
            raise InputError(f"--until {self.until}: choose converged, or leave it out.")
        if self.until and (self.guard == "off" or not self.watch):
            raise InputError("--until converged: somebody has to look at the samples; leave out --guard off and --no-watch.")
        for name in self.enough:
            if name not in FIGURES:
                raise InputError(f"--enough {name}: is not read during training; choose from {', '.join(FIGURES)}.")
        for flag, low in (("threads", 1), ("tick", 1), ("look", 1), ("freeze", 1)):
            value = getattr(self, flag)
            if value is not None and value < low:
                raise InputError(f"--{flag} {value}: must be at least {low}.")
        if self.freeze and self.start is None:
            raise InputError(f"--freeze {self.freeze}: holds layers that were trained; say where with --from, or leave it out.")
        if self.judge != 0 and self.judge < 100:
            raise InputError(f"--judge {self.judge}: the metrics need at least 100 samples, or 0 to skip them.")
        if not self.checkpoint_minutes > 0:
            raise InputError(f"--checkpoint-minutes {self.checkpoint_minutes}: must be above 0.")
