"""Runs that do not begin from nothing: another run's weights, layers of D that stay, augmentation where images are few.

    tightrope train swift ./photos --from runs/00003-swift-fashion --freeze 2

Weights are matched by player, name and shape, so that a run may have another resolution, other channels or other classes than its
source: what has no equal there starts fresh, and is said. The first layers of D can be held (FreezeD, Mo et al. 2020), and few
images are augmented adaptively (ADA, Karras et al. 2020, arXiv:2006.06676, at the speed they use for runs that are gone on with).
All of it stands in run.json under "start"; once there is a checkpoint, nothing else is needed to go on.
"""

from tightrope.transfer.beginning import ADA, Beginning, Fit, beginning, few, fit, plan, require_same, tell
from tightrope.transfer.freezing import hold, layers
from tightrope.transfer.reading import Source, files_of, read

__all__ = [
    "ADA", "Beginning", "Fit", "Source", "beginning", "few", "files_of", "fit", "hold", "layers", "plan", "read", "require_same",
    "tell",
]  # fmt: skip
