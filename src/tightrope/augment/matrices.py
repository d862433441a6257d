"""Small matrices of a batch: places (3x3, about the image's centre) and colours (4x4, on RGB1). Axis: N batch."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

PerImage = Float[Tensor, " n"]
Entry = PerImage | float


def _filled(rows: list[list[Entry]], like: PerImage) -> Float[Tensor, "n r c"]:
    entries = [e if isinstance(e, Tensor) else torch.full_like(like, e) for row in rows for e in row]
    return torch.stack(entries, 1).view(len(like), len(rows), len(rows[0]))


def scale(x: Entry, y: Entry) -> Float[Tensor, "n 3 3"]:
    """Places times (x, y); at least one of them is a tensor."""
    like = x if isinstance(x, Tensor) else y
    assert isinstance(like, Tensor)
    return _filled([[x, 0, 0], [0, y, 0], [0, 0, 1]], like)


def translation(by: Float[Tensor, "n 2"]) -> Float[Tensor, "n 3 3"]:
    """Places plus (x, y)."""
    return _filled([[1, 0, by[:, 0]], [0, 1, by[:, 1]], [0, 0, 1]], by[:, 0])


def rotation(angle: PerImage) -> Float[Tensor, "n 3 3"]:
    """Places turned about the origin, from the x axis towards the y axis."""
    cos, sin = angle.cos(), angle.sin()
    return _filled([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], angle)


def brighter(by: PerImage) -> Float[Tensor, "n 4 4"]:
    """Every channel plus `by`."""
    return _filled([[1, 0, 0, by], [0, 1, 0, by], [0, 0, 1, by], [0, 0, 0, 1]], by)


def contrast(by: PerImage) -> Float[Tensor, "n 4 4"]:
    """Every channel times `by`."""
    return _filled([[by, 0, 0, 0], [0, by, 0, 0], [0, 0, by, 0], [0, 0, 0, 1]], by)


def _luma(like: PerImage) -> Float[Tensor, "4 4"]:
    """Projection to the axis of greys."""
    grey = torch.zeros(4, 4, dtype=like.dtype, device=like.device)
    grey[:3, :3] = 1 / 3
    return grey


def along_luma(by: PerImage) -> Float[Tensor, "n 4 4"]:
    """Times `by` along the axis of greys; -1 inverts brightness and keeps the colour."""
    grey = _luma(by)
    return torch.eye(4, dtype=by.dtype, device=by.device) + (by - 1)[:, None, None] * grey


def across_luma(by: PerImage) -> Float[Tensor, "n 4 4"]:
    """Times `by` across the axis of greys: saturation."""
    grey = _luma(by)  # the constant's row is scaled too, and not used
    return grey + by[:, None, None] * (torch.eye(4, dtype=by.dtype, device=by.device) - grey)


def hue(angle: PerImage) -> Float[Tensor, "n 4 4"]:
    """Turned about the axis of greys (Rodrigues' formula)."""
    cos, sin = angle.cos(), angle.sin()
    a, b, c = cos + (1 - cos) / 3, (1 - cos) / 3 - sin * 3**-0.5, (1 - cos) / 3 + sin * 3**-0.5
    return _filled([[a, b, c, 0], [c, a, b, 0], [b, c, a, 0], [0, 0, 0, 1]], angle)
