"""The data room: files of every usual kind become a `core.data.Dataset`, decoded once and read from a memory map.

    from tightrope.data import load, pick
    dataset = load("fashion")                     # an embedded name, a folder, a zip, an array, IDX files, points
    reals = dataset.batch(pick(dataset, 64, seed=0))

Importing this package is cheap: torch and Pillow are imported when `load`, `inspect` or `pick` is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tightrope.data.catalog import names

if TYPE_CHECKING:
    from tightrope.data.images import ImageDataset, Images
    from tightrope.data.inspection import inspect
    from tightrope.data.loading import load
    from tightrope.data.modality import modality_of
    from tightrope.data.pairs import Pairs, Unpaired
    from tightrope.data.points import PointDataset, Points
    from tightrope.data.selection import pick, sheet
    from tightrope.data.sources import Reject
    from tightrope.data.tables.dataset import TableDataset
    from tightrope.data.tables.loading import load_frame
    from tightrope.data.tables.modality import Tables

__all__ = [
    "ImageDataset",
    "Images",
    "Pairs",
    "PointDataset",
    "Points",
    "Reject",
    "TableDataset",
    "Tables",
    "Unpaired",
    "inspect",
    "load",
    "load_frame",
    "modality_of",
    "names",
    "pick",
    "sheet",
]

_HOME = {
    "ImageDataset": "images",
    "Images": "images",
    "PointDataset": "points",
    "Points": "points",
    "Reject": "sources",
    "inspect": "inspection",
    "load": "loading",
    "load_frame": "tables.loading",
    "TableDataset": "tables.dataset",
    "Tables": "tables.modality",
    "modality_of": "modality",
    "Pairs": "pairs",
    "Unpaired": "pairs",
    "pick": "selection",
    "sheet": "selection",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
