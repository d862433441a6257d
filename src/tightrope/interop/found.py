"""What a file of another project holds, once it is read: tensors and plain values, nothing that can run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Found:
    """One network of a file.

    Attributes:
        system: what it is: a file of `interop.systems` and a player of it, such as "stylegan2-generator".
        state: its parameters and buffers under the reference's own keys.
        hints: the constructor's arguments under their published names, where the file says them.
    """

    system: str
    state: Mapping[str, Tensor]
    hints: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Opened:
    """A whole file.

    Attributes:
        container: what kind of file it is, in words ("NVIDIA StyleGAN2-ADA pickle").
        nets: its networks by the names they have in the file ("G_ema", "D").
        licence: what is known of the licence of files of this kind, in one sentence; None where nothing is.
        sha256: of the file.
    """

    container: str
    nets: Mapping[str, Found]
    licence: str | None
    sha256: str
