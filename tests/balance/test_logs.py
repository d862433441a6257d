"""Logs of many toolkits are read; what is no log is refused in one sentence."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest

from tightrope.balance import columns
from tightrope.balance.logs import Named, is_log, read_log
from tightrope.core.errors import InputError


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def lines(path: Path, records: list[dict]) -> Path:
    return write(path, "".join(json.dumps(record) + "\n" for record in records))


@pytest.mark.parametrize(
    ("d", "g"),
    [
        ("d_loss", "g_loss"), ("loss_D", "loss_G"), ("errD", "errG"), ("Loss/D/loss", "Loss/G/loss"),
        ("D/adversarial", "G/adversarial"), ("train/d_loss_epoch", "train/g_loss_epoch"), ("dloss", "gloss"), ("lossD", "lossG"),
        ("discriminator_loss", "generator_loss"), ("Critic Loss", "Gen Loss"), ("D", "G"), ("DLoss", "GLoss"), ("D_gan", "G_GAN"),
    ],
)  # fmt: skip
def test_losses_are_recognised(d: str, g: str) -> None:
    assert columns.losses(["step", d, g, "lr", "D(x)", "d_loss_gp", "D/r1", "G_L1"]) == {"loss/D": [d], "loss/G": [g]}


def test_players_halves_and_metrics_are_recognised() -> None:
    assert columns.losses(["D_A_loss", "D_B_loss", "G_loss"]).keys() == {"loss/D_A", "loss/D_B", "loss/G"}
    assert columns.losses(["d_loss_real", "d_loss_fake"]) == {"loss/D": ["d_loss_real", "d_loss_fake"]}
    names = ["kid50k", "results/fid50k_full", "best_fid", "Inception Score", "pr50k3_precision", "history", "fid_time"]
    assert columns.metrics(names) == {
        "results/fid50k_full": "lower", "kid50k": "lower", "Inception Score": "higher", "pr50k3_precision": "higher",
    }  # fmt: skip


def test_a_sparse_table_is_put_together(tmp_path: Path) -> None:
    """As Lightning writes: training and validation in rows of their own, cells empty or NaN where nothing was measured."""
    text = "epoch,step,d_loss,g_loss,fid\n"
    for i in range(40):
        text += f"{i},{i * 100},{1 + i / 100},2,\n" + f"{i},{i * 100},,,{'nan' if i % 4 else 90 - i}\n"
    log = read_log(write(tmp_path / "metrics.csv", text))
    assert log.clock.name == "step" and len(log.history) == 40 and log.metrics == {"metric/fid": "lower"}
    assert log.history.series("metric/fid").values == [90.0 - i for i in range(0, 40, 4)]
    assert set(log.history.readings[0].values) == {"loss/D", "loss/G", "metric/fid"} and log.history.now.progress == 1


def test_nan_that_comes_to_stay_is_kept(tmp_path: Path) -> None:
    text = "iter\td_loss\n" + "".join(f"{i}\t{'NaN' if i >= 30 else 'inf' if i == 29 else 1.5}\n" for i in range(40))
    log = read_log(write(tmp_path / "log.tsv", text))
    assert math.isnan(log.history.now.values["loss/D"]) and log.history.readings[29].values["loss/D"] == math.inf


def test_stylegan_folders_are_read_with_their_two_files(tmp_path: Path) -> None:
    stats = [
        {"Progress/kimg": {"num": 1, "mean": 4.0 * i, "std": 0.0}, "Loss/D/loss": {"mean": 1.0}, "timestamp": 1.7e9 + 60 * i}
        for i in range(50)
    ]
    lines(tmp_path / "stats.jsonl", stats)
    snapshots = [
        {"results": {"fid50k_full": 40 - k}, "snapshot_pkl": f"network-snapshot-{40 * k:06d}.pkl", "timestamp": 1.7e9}
        for k in range(5)
    ]
    lines(tmp_path / "metric-fid50k_full.jsonl", snapshots)
    (tmp_path / "fakes000040.png").write_bytes(b"")
    log = read_log(tmp_path)
    assert log.clock.name == "kimg" and log.clock.at(log.history.now.seen) == "kimg 196"
    assert log.history.series("metric/results/fid50k_full").seen == [0, 40_000, 80_000, 120_000, 160_000]
    alone = read_log(tmp_path / "metric-fid50k_full.jsonl")
    assert [reading.seen for reading in alone.history.readings] == [0, 40_000, 80_000, 120_000, 160_000]


def test_events_of_a_run_are_read_and_a_resume_replaces_what_it_repeats(tmp_path: Path) -> None:
    def tick(seen: int, loss: float) -> dict:
        return {
            "event": "tick",
            "seen": seen,
            "seconds": seen / 10,
            "terms": {"D/adversarial": loss},
            "signals": {"samples/score": 0.5},
        }

    events = [
        {"event": "start"},
        *(tick(s, 1.0) for s in (100, 200, 300)),
        {"event": "resume", "seen": 100},
        tick(200, 2.0),
        tick(300, 2.0),
    ]
    path = lines(tmp_path / "events.jsonl", events)
    path.write_text(path.read_text() + '{"event": "tick", "seen": 4')
    log = read_log(path)
    assert [(r.seen, r.values["loss/D"]) for r in log.history.readings] == [(100, 1.0), (200, 2.0), (300, 2.0)]
    assert log.metrics == {"metric/samples/score": "higher"} and log.history.now.values["time/seconds"] == 30
    assert "given up" in log.notes[0]


def test_clocks_that_begin_anew_fractions_and_none(tmp_path: Path) -> None:
    again = read_log(write(tmp_path / "a.csv", "epoch,batch,d_loss\n" + "".join(f"{i // 10},{i % 10},1\n" for i in range(60))))
    assert [r.seen for r in again.history.readings] == list(range(60))
    parts = read_log(write(tmp_path / "b.csv", "epoch,d_loss\n0.5,1\n1.0,2\n1.5,3\n"))
    assert parts.clock.at(parts.history.now.seen) == "epoch 1.5"
    rows = read_log(write(tmp_path / "c.csv", "d_loss;g_loss\n1,5;2\n2,5;2\n"))
    assert rows.clock.name == "row" and rows.history.now.values["loss/D"] == 2.5 and "--clock" in rows.notes[0]


def test_keras_histories_and_lists_are_read(tmp_path: Path) -> None:
    kept = write(tmp_path / "history.json", json.dumps({"d_loss": [1, 2, 3], "g_loss": [3, 2, 1]}))
    listed = write(tmp_path / "list.json", json.dumps([{"step": 1, "fid": 3}, {"step": 2, "fid": "2.5"}], indent=1))
    assert len(read_log(kept).history) == 3 and read_log(listed).history.now.values["metric/fid"] == 2.5


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "n,judge,maker,quality\n1,1,2,3\n2,1,2,4\n")
    log = read_log(path, Named(clock="n", d_loss="judge", g_loss="maker", metric="quality:higher"))
    assert log.losses == {"loss/D": "judge", "loss/G": "maker"} and log.metrics == {"metric/quality": "higher"}
    with pytest.raises(InputError, match="which way is better"):
        read_log(path, Named(metric="quality"))
    with pytest.raises(InputError, match="no column 'x'; there are n, judge, maker, quality"):
        read_log(path, Named(d_loss="x"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", "is empty"), ("blank.csv", b"\n\n", "is empty"), ("zip.csv", b"PK\0\0" * 9, "is no text"),
        ("bare.csv", b"1,2,3\n4,5,6\n", "name the columns"), ("words.csv", b"a,b\nx,y\n", "holds no numbers"),
        ("points.csv", b"x,y\n1,2\n3,4\n", "no loss and no metric is recognised"), ("one.csv", b"step\n1\n2\n", "no loss and no metric"),
        ("single.csv", b"step,d_loss\n1,2\n", "one moment only"), ("head.csv", b"step,d_loss\n", "holds no numbers"),
        ("none.jsonl", b"hello\n[1]\n", "no JSON objects"), ("deep.jsonl", b"[" * 100_000, "no JSON objects"),
        ("words.jsonl", b'{"a": "b"}\n', "holds no numbers"), ("log.txt", b"step 1", "is no log"),
    ],
)  # fmt: skip
def test_what_is_no_log_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said) as error:
        read_log(tmp_path / name)
    assert "\n" not in str(error.value) and name in str(error.value)


def test_what_is_a_log(tmp_path: Path) -> None:
    assert not is_log(tmp_path) and not is_log(tmp_path / "nothing.csv")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "events.out.tfevents.1").write_bytes(b"")
    assert is_log(tmp_path) and not is_log(write(tmp_path / "a.png", ""))
    write(tmp_path / "run.json", "{}")
    assert not is_log(tmp_path)


def test_event_files_without_their_package_name_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing.event_accumulator", None)
    (tmp_path / "events.out.tfevents.1").write_bytes(b"x")
    with pytest.raises(InputError, match=r"pip install 'tightrope\[tensorboard\]'"):
        read_log(tmp_path)


def test_event_files_are_read(tmp_path: Path) -> None:
    writer = pytest.importorskip("tensorboard.summary.writer.event_file_writer")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.util.tensor_util import make_tensor_proto

    file = writer.EventFileWriter(str(tmp_path))
    for i in range(30):
        values = [Summary.Value(tag="Loss/D", simple_value=1.5), Summary.Value(tag="fid", tensor=make_tensor_proto(float(i)))]
        file.add_event(Event(wall_time=1.7e9 + i, step=10 * i, summary=Summary(value=values)))
    file.close()
    log = read_log(tmp_path)
    assert log.history.now.seen == 290 and log.history.now.values == {"loss/D": 1.5, "metric/fid": 29.0, "time/seconds": 29.0}
    bad = next(tmp_path.iterdir())
    bad.write_bytes(b"garbage" * 99)
    with pytest.raises(InputError, match="holds no numbers"):
        read_log(tmp_path)
