"""TableSynthesizer: fit a table, sample rows, as scikit-learn's estimators are used.

from tightrope import TableSynthesizer
made = TableSynthesizer(minutes=5).fit(frame).sample(1000, where={"income": ">50K"})
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from safetensors.torch import save_file

from tightrope import api
from tightrope import data as data_room
from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically
from tightrope.data.tables.dataset import TableDataset
from tightrope.data.tables.encoding import Codec
from tightrope.data.tables.loading import PREFIX
from tightrope.data.tables.typed import Likeness, joined, typed
from tightrope.explore import rows
from tightrope.explore.generator import Generator

MINUTES = 1.0  # of training where no budget is given
LIKENESS = "frame"  # key in the header of a saved file: the kind of frame that was fitted


class TableSynthesizer:
    """Learns a table and draws rows of it.

    Args:
        recipe: what is trained, "tabular" or "ctgan", or the path of a recipe's file.
        minutes, seen: how long, in minutes of wall time or in rows; a minute where neither is given.
        seed: of everything random in training.
        schema: types and constraints, as a dictionary or a schema's file; see `docs/tables.md`.
        run: the run's directory, to be kept; a temporary one where it is left out.
        options: of `tightrope.train`; else its own, without the metrics at the end.
        fields: the recipe's hyper-parameters.
    """

    def __init__(
        self,
        recipe: str = "tabular",
        *,
        minutes: float | None = None,
        seen: int | None = None,
        seed: int = 0,
        schema: Mapping[str, Any] | str | Path | None = None,
        run: str | Path | None = None,
        options: api.Options | None = None,
        **fields: Any,
    ) -> None:
        self.recipe, self.minutes, self.seen, self.seed, self.schema = recipe, minutes, seen, seed, schema
        self.folder, self.options, self.fields = run, options, fields
        self._run: api.Run | None = None
        self._generator: Generator | None = None
        self._likeness: Likeness | None = None
        self._kept: tempfile.TemporaryDirectory[str] | None = None  # goes when this object does

    def fit(self, data: Any) -> TableSynthesizer:
        """Train on a pandas or polars frame, a table's file, or a loaded `TableDataset`; returns itself.

        Raises:
            InputError: something given is wrong. RunStopped: a number became non-finite.
        """
        likeness = Likeness.of(data)
        dataset = self._loaded(data, likeness)
        if self.folder is None:
            self._kept = tempfile.TemporaryDirectory(prefix="tightrope-", ignore_cleanup_errors=True)
        folder = Path(self.folder) if self.folder is not None else Path(cast(Any, self._kept).name) / "run"
        minutes = MINUTES if self.seen is None and self.minutes is None else self.minutes
        self._run = api.train(
            self.recipe, dataset.source["data"], run=folder, minutes=minutes, seen=self.seen, seed=self.seed,
            options=self.options or api.Options(judge=0), **self.fields,
        )  # fmt: skip
        self._generator, self._likeness = self._run.generator(), likeness
        return self

    def _loaded(self, data: Any, likeness: Likeness | None) -> TableDataset:
        """The table as training reads it."""
        if isinstance(data, TableDataset):
            if self.schema is not None:
                raise InputError("schema: the table is loaded already, with its own; give the schema to `load` or `load_frame`.")
            return data
        schema = self.schema if isinstance(self.schema, Mapping | None) else _read(Path(self.schema))
        if likeness is not None:
            return data_room.load_frame(data, schema=schema)
        if not isinstance(data, str | Path):
            raise InputError(
                f"fit: {type(data).__name__} is no table; give a pandas or polars frame, a file's path, or what `load` returned."
            )
        name = PREFIX + str(data).removeprefix(PREFIX)
        if isinstance(self.schema, str | Path):
            name = f"{name},{self.schema}"
        elif self.schema is not None:
            raise InputError("schema: of a file it is a file too; write it beside the table, or give its path.")
        return cast(TableDataset, data_room.load(name))

    @property
    def run(self) -> api.Run:
        """The run: its record, metrics and report."""
        if self._run is None:
            opened = " (what was loaded has none)" if self._generator is not None else "; call fit first"
            raise InputError(f"TableSynthesizer: there is no run{opened}.")
        return self._run

    @property
    def generator(self) -> Generator:
        """The trained generator."""
        if self._generator is None:
            raise InputError("TableSynthesizer: nothing is trained yet; call fit(data) first, or load(path).")
        return self._generator

    def sample(
        self,
        n: int | None = None,
        where: rows.Where | None = None,
        balance: str | None = None,
        seed: int = 0,
        counts: Mapping[str, int] | None = None,
    ) -> Any:
        """`n` rows as the kind of frame that was fitted, with its dtypes where that is possible; of a file a dictionary of
        columns, each a list of cells as the file writes them.

        Args:
            where, balance, seed, counts: see `tightrope.explore.rows.draw`.

        Raises:
            InputError: before fit, or what is asked for cannot be.
        """
        codec = Codec.from_json(self.generator.spec.coding)
        asked: dict[str, Any] = {"where": where, "balance": balance, "seed": seed, "counts": counts}
        if self._likeness is None:
            return rows.cells(self.generator, codec, n, **asked)
        parts = [typed(codec, some.levels, some.values, some.first) for some in rows.draw(self.generator, codec, n, **asked)]
        return self._likeness.frame(joined(parts))

    def save(self, path: str | Path) -> Path:
        """Write one file that `load` opens, and `tightrope sample` and `tightrope.load` as well."""
        tensors = {
            f"{player}/{name}": value for player, net in self.generator.nets.items() for name, value in net.state_dict().items()
        }
        likeness = json.dumps(dataclasses.asdict(self._likeness) if self._likeness is not None else None)
        header = {**self.generator.header, LIKENESS: likeness}
        write_atomically(Path(path), lambda partial: save_file(tensors, partial, header))
        return Path(path)

    @classmethod
    def load(cls, path: str | Path, recipe: str | None = None) -> TableSynthesizer:
        """Open what `save` wrote, or a run's directory; no code of the file's own is run.

        Args:
            recipe: the recipe's file, where it was trained with a file of your own.
        """
        generator = api.load(path, recipe)
        if generator.spec.modality != "table":
            raise InputError(f"{path}: makes {generator.spec.modality}; a table's generator is needed.")
        header = generator.header
        found = cls(recipe or header["recipe"], seed=int(header.get("seed", 0)), **json.loads(header["fields"]))
        found._generator = generator
        said = json.loads(header.get(LIKENESS, "null"))
        found._likeness = Likeness(**said) if said else None
        return found


def _read(path: Path) -> dict[str, Any]:
    """A schema's file as the dictionary that it holds."""
    from tightrope.data.tables.schema import read_schema

    read_schema(path)  # whose errors say what is wrong
    text = path.read_text(encoding="utf-8-sig")
    record: dict[str, Any] = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    return record
