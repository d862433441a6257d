"""NumPy files and tables: images as arrays, or points. Nothing that could run code is read (no pickles).

Images: uint8 (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 or 3; or float, in [0, 1] if no value is negative, else in
[-1, 1]. Points: float (N, d), d at most 16.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tightrope.core.errors import InputError
from tightrope.data import cache
from tightrope.data.catalog import shown
from tightrope.data.decode import quiet
from tightrope.data.images import ImageDataset
from tightrope.data.points import PointDataset
from tightrope.data.stacks import MANY, Stack, numbered, place_of, store

IMAGE_KEYS = ("images", "x_train", "train_images", "x", "data", "points", "samples", "arr_0")
LABEL_KEYS = ("labels", "y_train", "train_labels", "y")
NAME = "name"  # heads a column of a table that is no coordinate
CLASS_KEYS = ("classes", "class_names")
MOST_DIMENSIONS = 16
LARGEST_MEMBER = 8 << 30  # bytes of one array in an .npz, which is unpacked in memory
SLACK = 1e-3  # by how much floats may leave their range, for rounding


def load_array(
    path: Path, size: int | None, root: Path | None, progress: Callable[[int, int], None] | None
) -> ImageDataset | PointDataset:
    """Images or points from .npy or .npz."""
    place = place_of(path, [], size, root, path.stem)
    index = cache.read_index(place.folder, place.key)
    if index is None:
        arrays = _read(path)
        values = arrays["values"]
        if values.ndim == 2:
            if size is not None:
                raise InputError(f"{shown(path)}: points have no size; leave it out.")
            return points_from(path, values)
        index = store(place, _stack(path, arrays), progress)
    source = {"data": os.path.abspath(path), "size": index["shape"][2]}
    return ImageDataset(name=path.stem, folder=place.folder, index=index, licence=None, source=source)


def _read(path: Path) -> dict[str, np.ndarray]:
    """The arrays `values`, and `labels` and `classes` where there are any."""
    try:
        with quiet():
            if path.suffix.lower() == ".npy":
                return {"values": np.load(path, mmap_mode="r", allow_pickle=False)}
            _check_sizes(path)
            with np.load(path, allow_pickle=False) as archive:
                return _members(path, archive)
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(f"{shown(path)}: does not fit in memory; save the array as .npy, which is mapped.") from error
    except PermissionError as error:
        raise InputError(f"{shown(path)}: cannot be read ({error.strerror}); check its rights.") from error
    except Exception as error:  # damaged headers raise whatever numpy, zipfile, zlib, ast and tokenize do
        if "pickle" in str(error) or "Python objects" in str(error):
            message = "holds pickled Python objects, which are never read; save plain numbers with numpy.save or savez."
            raise InputError(f"{shown(path)}: {message}") from error
        raise InputError(f"{shown(path)}: not a NumPy file, or a damaged one; write it again with numpy.save.") from error


def _check_sizes(path: Path) -> None:
    with zipfile.ZipFile(path) as packed:
        large = [info.filename for info in packed.infolist() if info.file_size > LARGEST_MEMBER]
    if large:
        raise InputError(f"{shown(path)}: {shown(large[0])} unpacks to more than 8 GB; save it as .npy, which is mapped.")


def _members(path: Path, archive: Any) -> dict[str, np.ndarray]:
    present = list(archive.keys())
    key = next((key for key in IMAGE_KEYS if key in present), present[0] if len(present) == 1 else None)
    if key is None:
        listed = ", ".join(shown(name) for name in present[:10]) or "nothing"
        raise InputError(f"{shown(path)}: holds {listed}; name the array of images or points one of {', '.join(IMAGE_KEYS)}.")
    arrays = {"values": archive[key]}
    for role, keys in (("labels", LABEL_KEYS), ("classes", CLASS_KEYS)):
        found = next((key for key in keys if key in present), None)
        if found is not None:
            arrays[role] = archive[found]
    return arrays


def _stack(path: Path, arrays: dict[str, np.ndarray]) -> Stack:
    values = arrays["values"]
    layout, shape = _layout(path, values.shape)
    to_bytes = _conversion(path, values)

    def parts() -> Iterator[np.ndarray]:
        for start in range(0, len(values), MANY):
            part = to_bytes(np.asarray(values[start : start + MANY]))
            if layout == "NHW":
                part = part[..., None]
            yield part.transpose(0, 2, 3, 1) if layout == "NCHW" else part

    labels, classes = arrays.get("labels"), tuple(str(name) for name in arrays.get("classes", np.empty(0)).ravel())
    if labels is not None:
        labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
        if labels.ndim != 1:
            raise InputError(f"{shown(path)}: labels have the shape {labels.shape}; one whole number an image is needed.")
        labels, classes = numbered(path, labels, classes)
    return Stack(len(values), shape, parts, f"array {values.dtype}", labels, classes if labels is not None else ())


def _layout(path: Path, shape: tuple[int, ...]) -> tuple[str, tuple[int, int, int]]:
    """Which axis is which, and (H, W, C)."""
    if len(shape) == 3:
        return "NHW", (shape[1], shape[2], 1)
    if len(shape) == 4 and shape[3] in (1, 3):
        return "NHWC", (shape[1], shape[2], shape[3])
    if len(shape) == 4 and shape[1] in (1, 3):
        return "NCHW", (shape[2], shape[3], shape[1])
    wanted = "(N, H, W), (N, H, W, 1 or 3), (N, 1 or 3, H, W) for images, or (N, d) for points"
    raise InputError(f"{shown(path)}: the array has the shape {shape}; expected {wanted}.")


def _conversion(path: Path, values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """How to bring values to 0..255; looks at all of them, a part at a time, when they are floats."""
    if values.dtype == np.uint8:
        return lambda part: part
    if not np.issubdtype(values.dtype, np.floating):
        wanted = "save them as uint8 (0 to 255) or as float in [0, 1] or [-1, 1]"
        raise InputError(f"{shown(path)}: images are {values.dtype}; {wanted}.")
    low, high = np.inf, -np.inf
    for start in range(0, len(values), MANY):
        part = np.asarray(values[start : start + MANY])
        if not np.isfinite(part).all():
            raise InputError(f"{shown(path)}: holds values that are not finite (NaN or infinity); remove those images.")
        low, high = min(low, float(part.min(initial=np.inf))), max(high, float(part.max(initial=-np.inf)))
    if low < -1 - SLACK or high > 1 + SLACK:
        raise InputError(f"{shown(path)}: float images from {low:g} to {high:g}; scale them to [0, 1] or [-1, 1], or save uint8.")
    add, factor = (1.0, 127.5) if low < -SLACK else (0.0, 255.0)
    return lambda part: np.rint(np.clip((part.astype(np.float64) + add) * factor, 0, 255)).astype(np.uint8)


def points_from(path: Path, values: np.ndarray) -> PointDataset:
    """Points from a (N, d) array, checked."""
    if not np.issubdtype(values.dtype, np.floating):
        raise InputError(f"{shown(path)}: points are {values.dtype}; save them as float32.")
    count, dimensions = values.shape
    if not 1 <= dimensions <= MOST_DIMENSIONS:
        wanted = f"points have 1 to {MOST_DIMENSIONS} coordinates, images (N, H, W) or four axes"
        raise InputError(f"{shown(path)}: the array has the shape {values.shape}; {wanted}.")
    if count < 2:
        raise InputError(f"{shown(path)}: holds {count} points; training needs at least two.")
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if not np.isfinite(single).all():
        bad = int((~np.isfinite(single)).any(axis=1).sum())
        raise InputError(f"{shown(path)}: {bad} rows hold values that are not finite (NaN or infinity); remove those rows.")
    if (single == single[0]).all():
        raise InputError(f"{shown(path)}: all points are the same, so there is nothing to learn; give points that differ.")
    return PointDataset(single, name=path.stem, source={"data": os.path.abspath(path)})


def load_table(path: Path) -> PointDataset:
    """Points from a CSV: one row a point, a first row of names is skipped, and a first column "name" too.

    Comma, semicolon, tab or space between.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            first = file.readline(1 << 16)
            second = file.readline(1 << 16)
        delimiter = next((mark for mark in (",", ";", "\t") if mark in (second or first)), None)
        skip = int(_is_header(first, delimiter))
        cells = first.strip().split(delimiter)
        columns = range(1, len(cells)) if skip and cells[0] == NAME else None  # as `tightrope sample` writes points
        with quiet():
            rows = np.loadtxt(path, delimiter=delimiter, skiprows=skip, ndmin=2, encoding="utf-8-sig", usecols=columns)
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read ({error.strerror}); check its rights.") from error
    except ValueError as error:  # UnicodeDecodeError is one
        reason = " ".join(str(error).split())[:140].rstrip(".;")
        raise InputError(f"{shown(path)}: not a table of numbers ({shown(reason)}).") from error
    if rows.size == 0:
        raise InputError(f"{shown(path)}: no rows of numbers in it.")
    return points_from(path, rows)


def _is_header(line: str, delimiter: str | None) -> bool:
    try:
        [float(cell) for cell in line.split(delimiter)]
    except ValueError:
        return True
    return False
