"""The pixel cache: decoded once, in order, keyed by content, whole or not used; and how images are read from it."""

from __future__ import annotations

import json
import mmap
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import picture

from tightrope.core.errors import InputError
from tightrope.data import files, images, load


def decodes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count the files that are decoded from now on."""
    seen: list[str] = []
    real = files.decode

    def counted(file, side):  # type: ignore[no-untyped-def]
        seen.append(file.name)
        return real(file, side)

    monkeypatch.setattr(files, "decode", counted)
    return seen


def test_second_start_decodes_nothing_and_is_equal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "bad.png").write_bytes(b"no")
    seen = decodes(monkeypatch)
    first = load(folder)
    assert len(seen) == 4
    second = load(folder)
    assert len(seen) == 4
    assert second.fingerprint == first.fingerprint
    assert second.spec == first.spec
    assert second.rejects == first.rejects
    assert second.names() == ["0.png", "1.png", "2.png"]
    assert torch.equal(second.batch(torch.arange(3)), first.batch(torch.arange(3)))


def test_changed_added_and_removed_files_are_seen(folder: Path, cache: Path) -> None:
    prints = [load(folder).fingerprint]
    picture(9).save(folder / "1.png")
    prints.append(load(folder).fingerprint)
    picture(8).save(folder / "4.png")
    prints.append(load(folder).fingerprint)
    (folder / "4.png").unlink()
    os.utime(folder / "0.png", (time.time() + 5, time.time() + 5))
    prints.append(load(folder).fingerprint)
    assert len(set(prints)) == 3
    assert prints[3] == prints[1]
    assert len(list(cache.glob("*/pixels.npy"))) == 1  # the old pixels are replaced, not piled up


def test_sizes_have_caches_of_their_own(folder: Path, cache: Path) -> None:
    assert [load(folder, size=size).spec.size for size in (16, 32, 16)] == [16, 32, 16]
    assert len(list(cache.glob("*/pixels.npy"))) == 2


def test_the_cache_is_a_plain_numpy_file_read_through_a_map(folder: Path) -> None:
    data = load(folder)
    stored = np.load(data.folder / "pixels.npy", mmap_mode="r")
    assert stored.shape == (3, 3, 32, 32)
    assert stored.dtype == np.uint8
    assert isinstance(data._map, mmap.mmap)
    assert np.array_equal(data.modality.to_array(data.batch(torch.arange(3))), stored.transpose(0, 2, 3, 1))


def test_batches_are_fp32_in_range_and_any_order(folder: Path) -> None:
    batch = load(folder).batch(torch.tensor([2, 0, 2]))
    assert batch.dtype == torch.float32
    assert batch.is_contiguous()
    assert -1 <= batch.min() < batch.max() <= 1
    assert torch.equal(batch[0], batch[2])
    batch.zero_()  # a copy: the cache cannot be written by accident
    assert load(folder).batch(torch.tensor([2])).abs().sum() > 0


def test_forgetting_mapped_pages_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load(folder)
    before = data.batch(torch.arange(3))
    monkeypatch.setattr(images, "MOST_MAPPED", 1)
    assert all(torch.equal(data.batch(torch.arange(3)), before) for _ in range(3))


@pytest.mark.parametrize("workers", [1, 4])
def test_order_and_fingerprint_do_not_depend_on_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    for i in range(40):
        picture(i, 20 + i * 7 % 50, 20 + i * 11 % 60).save(tmp_path / f"{i:02d}.png")
    (tmp_path / "30.png").write_bytes(b"no")
    monkeypatch.setattr(files, "BLOCK_BYTES", 3 * 16 * 16 * 3)  # three images a task
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(workers)), raising=False)
    real = files.decode

    def uneven(file, side):  # type: ignore[no-untyped-def]
        time.sleep(hash(file.name) % 3 / 1000)
        return real(file, side)

    monkeypatch.setattr(files, "decode", uneven)
    data = load(tmp_path, size=16, cache=tmp_path / ".cache")
    assert data.names() == [f"{i:02d}.png" for i in range(40) if i != 30]
    alone = real(open(tmp_path / "07.png", "rb"), 16).pixels  # noqa: SIM115
    assert np.array_equal(data.modality.to_array(data.batch(torch.tensor([7])))[0], alone)


def test_progress(folder: Path) -> None:
    calls: list[tuple[int, int]] = []
    load(folder, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(3, 3)]


def test_interrupted_building_leaves_no_cache(folder: Path, cache: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(folder, progress=stop)
    assert not list(cache.rglob("index.json"))
    assert not list(cache.rglob("*.partial"))
    assert len(load(folder)) == 3


def test_a_killed_builder_leaves_nothing_that_is_used(folder: Path, cache: Path) -> None:
    code = (
        "import os, signal, sys; from tightrope.data import load\n"
        "load(sys.argv[1], progress=lambda done, total: os.kill(os.getpid(), signal.SIGKILL))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, folder], env=environment, check=False)
    assert done.returncode == -9
    assert list(cache.rglob("*.partial"))
    assert len(load(folder)) == 3
    assert not list(cache.rglob("*.partial"))


@pytest.mark.parametrize("harm", ["cut", "longer", "no pixels", "no json", "other version"])
def test_a_damaged_cache_is_built_again(folder: Path, harm: str) -> None:
    data = load(folder)
    index, pixels = data.folder / "index.json", data.folder / "pixels.npy"
    if harm == "cut":
        os.truncate(pixels, 1000)
    elif harm == "longer":
        os.truncate(pixels, pixels.stat().st_size + 1)
    elif harm == "no pixels":
        pixels.unlink()
    elif harm == "no json":
        index.write_text("{", encoding="utf-8")
    else:
        index.write_text(json.dumps({**data.index, "version": 0}), encoding="utf-8")
    assert load(folder).fingerprint == data.fingerprint


def test_a_failed_source_leaves_no_folder(tmp_path: Path, cache: Path) -> None:
    place = tmp_path / "bad"
    place.mkdir()
    (place / "x.png").write_bytes(b"no")
    with pytest.raises(InputError):
        load(place)
    assert not [path for path in cache.iterdir() if path.is_dir()]


def test_the_cache_option_and_the_environment(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(folder, cache=tmp_path / "one").folder.parent == tmp_path / "one"
    assert load(folder).folder.parent == tmp_path / "cache"
    monkeypatch.delenv("TIGHTROPE_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load(folder).folder.parent == tmp_path / "home" / ".cache" / "tightrope"


def test_a_data_set_can_be_pickled_small(folder: Path) -> None:
    data = load(folder)
    content = pickle.dumps(data)
    assert len(content) < 3000
    assert torch.equal(pickle.loads(content).batch(torch.arange(3)), data.batch(torch.arange(3)))
