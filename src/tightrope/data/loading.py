"""`load`: one call from a name or a path to a data set.

python -c "from tightrope.data import load; print(load('fashion').spec)"
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path

from tightrope.core.errors import InputError
from tightrope.data.arrays import load_array, load_table
from tightrope.data.catalog import EMBEDDED, IMAGE_SUFFIXES, KNOWN, PAIRED, STACKED, TABLE_SUFFIXES, near, shown
from tightrope.data.embedded import load_embedded, load_embedded_pairs
from tightrope.data.files import load_container
from tightrope.data.idx import find_idx, is_idx, load_idx
from tightrope.data.images import ImageDataset
from tightrope.data.pairs import Pairs, Unpaired
from tightrope.data.points import PointDataset, grid25, ring8
from tightrope.data.prefixes import Asked, load_prefixed
from tightrope.data.sources import Folder, Zip
from tightrope.data.splitting import stored
from tightrope.data.stacked import StackedDataset, load_stacked
from tightrope.data.tables.dataset import TableDataset
from tightrope.data.tables.loading import PREFIX, is_table, load_rows

SIZES = range(8, 1025)
Data = ImageDataset | PointDataset | StackedDataset | Pairs | Unpaired | TableDataset


def load(
    data: str | os.PathLike[str],
    *,
    size: int | None = None,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Data:
    """Data by embedded name or path.

    Args:
        data: an embedded name (see `names()`), a folder or zip of images, .npz, .npy, IDX files, a .csv of points, or
            stacked:FOLDER with a folder of MNIST; a table (.csv of more than numbers, .parquet, .db, or any as table:FILE, see
            `tightrope.data.tables.loading`); or pairs:GIVEN,TARGET, edges:DATA, down4:DATA, patches:FOLDER,
            unpaired:A,B and the like (`tightrope.data.prefixes`). A name wins over a path; write ./fashion for a folder of
            that name.
        size: side of the square images in pixels, 8 to 1024; default: the set's own, see docs/data.md.
        cache: folder for decoded pixels; default $TIGHTROPE_CACHE or ~/.cache/tightrope.
        progress: called with (done, total) while images are decoded.

    Raises:
        InputError: the source as a whole cannot be used. Single files that cannot are in `.rejects`.
    """
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size not in SIZES):
        raise InputError(f"size {size!r}: the side of the images is a whole number from {SIZES[0]} to {SIZES[-1]}.")
    name = os.fspath(data)
    cache = None if cache is None else Path(cache)
    if name in EMBEDDED and (isinstance(data, str) or not Path(data).exists()):
        return _embedded(name, size, cache)
    if name.startswith(STACKED):
        return load_stacked(name, size, cache, progress)
    if name.startswith(PREFIX) or is_table(name):
        _no_size(shown(name), size, "rows of a table have")
        return load_rows(name, cache, progress)
    asked = Asked(size, cache, progress, functools.partial(load, cache=cache, progress=progress))
    if (found := load_prefixed(name, asked)) is not None:
        return found
    path = _existing(name)
    if path.is_dir():
        return _folder(path, size, cache, progress)
    return _file(path, size, cache, progress)


def _embedded(name: str, size: int | None, cache: Path | None) -> ImageDataset | PointDataset | Pairs:
    if name in ("ring8", "grid25"):
        _no_size(name, size)
        return ring8() if name == "ring8" else grid25()
    elsewhere = os.environ.get("TIGHTROPE_FASHION")
    if name == "fashion" and elsewhere:
        return _whole_fashion(Path(elsewhere).expanduser(), size, cache)
    return stored(load_embedded_pairs(name, size, cache)) if name in PAIRED else load_embedded(name, size, cache)


def _whole_fashion(path: Path, size: int | None, cache: Path | None) -> ImageDataset:
    images = find_idx(path) if path.is_dir() else path
    if images is None or not images.is_file():
        raise InputError(f"{shown(path)}: TIGHTROPE_FASHION is set, but train-images-idx3-ubyte.gz is not there; unset it.")
    return load_idx(images, size, cache, name="fashion")


def _existing(name: str) -> Path:
    path = Path(name).expanduser() if name else Path("~")
    try:
        if name and os.path.lexists(path):
            path.stat()
            return path
    except ValueError:  # a zero byte in the name
        pass
    except OSError as error:
        raise InputError(f"{shown(name)}: cannot be opened ({error.strerror}); check the path and its rights.") from error
    raise InputError(f"{shown(name) or repr(name)}: no such file or folder, nor embedded data. {near(name)}.")


def _folder(path: Path, size: int | None, cache: Path | None, progress: Callable[[int, int], None] | None) -> ImageDataset:
    idx = find_idx(path)
    if idx is not None:
        return load_idx(idx, size, cache, progress=progress)
    return load_container(Folder(path), size, cache, progress)


def _file(
    path: Path, size: int | None, cache: Path | None, progress: Callable[[int, int], None] | None
) -> ImageDataset | PointDataset:
    suffix = path.suffix.lower()
    if not path.is_file():
        raise InputError(f"{shown(path)}: neither a file nor a folder; give {KNOWN}.")
    if is_idx(path):
        return load_idx(path, size, cache, progress=progress)
    if suffix == ".zip":
        return load_container(Zip(path), size, cache, progress)
    if suffix in (".npz", ".npy"):
        return load_array(path, size, cache, progress)
    if suffix in TABLE_SUFFIXES:
        _no_size(shown(path), size)
        return load_table(path)
    if suffix in IMAGE_SUFFIXES:
        raise InputError(f"{shown(path)}: one image is no data set; give the folder it is in.")
    kind = shown(suffix) or "a file without an extension"
    raise InputError(f"{shown(path)}: {kind} is not a kind of data that is read; give {KNOWN}.")


def _no_size(name: str, size: int | None, what: str = "points have") -> None:
    if size is not None:
        raise InputError(f"{name}: {what} no size; leave it out.")
