"""The modality of tables: encoded rows are shown as marginals of their columns and saved as one CSV. Axes: n rows, w numbers."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically
from tightrope.data.images import require_finite
from tightrope.data.tables.drawing import marginals
from tightrope.data.tables.encoding import Codec


class Tables:
    """Rows of one table, whose codec says what they mean."""

    name = "table"
    exact = True  # a scalar is one of thousands of quantiles

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    def grid(self, samples: Float[Tensor, "n w"], columns: int | None = None) -> UInt8[np.ndarray, "H W 3"]:
        """The marginals of the columns, those of the data in grey behind. `columns` is of pictures and means nothing here."""
        return marginals(self.codec, self.to_array(samples))

    def to_array(self, samples: Float[Tensor, "n w"]) -> Float32[np.ndarray, "n w"]:
        """float32, encoded as they are: `cells` has what a file would say."""
        if samples.ndim != 2 or samples.shape[1] != self.codec.width:
            raise InputError(f"encoded rows have the shape (n, {self.codec.width}), not {tuple(samples.shape)}.")
        values = samples.detach().to("cpu", torch.float32)
        require_finite(values)
        return values.numpy()

    def cells(self, samples: Float[Tensor, "n w"]) -> dict[str, list[str]]:
        """The columns as the file writes them; every constraint holds."""
        return self.codec.cells(self.to_array(samples))

    def save(self, samples: Float[Tensor, "n w"], names: list[str], folder: Path) -> list[Path]:
        """One `rows.csv` as the data's file is written; `names` are of samples one by one, and rows have none."""
        path = folder / "rows.csv"
        cells = self.cells(samples)
        write_csv(path, cells, self.codec.delimiter)
        return [path]


def write_csv(path: Path, cells: dict[str, list[str]], delimiter: str = ",") -> None:
    """Columns of cells as a CSV file in UTF-8."""

    def write(partial: Path) -> None:
        with open(partial, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
            writer.writerow(cells)
            writer.writerows(zip(*cells.values(), strict=True))

    write_atomically(path, write)
