"""One training in several numbers: what is trained, and what is told of it."""

from __future__ import annotations

import json
from argparse import Namespace

import pytest

from ecglfm.benchmark.pretraining import precisions
from ecglfm.benchmark.pretraining.precisions import SETTINGS, Training, lines, losses_of, told
from ecglfm.cli import main
from ecglfm.config import UserError
from tests.unit.training.pretraining.small_pretraining import encoder_slice

ARGS = Namespace(encoder="tiny", updates=500, batch=4, lr=1e-4)


def test_losses_are_means_of_fifths_of_the_updates(tmp_path):
    rows = [f"{step},train,{loss}" for step, loss in zip(range(1, 11), (1, 3, 2, 2, 5, 7, 0, 1, 9, 10), strict=True)]
    (tmp_path / "history.csv").write_text("\n".join(["step,split,loss", *rows, "10,valid,100", ""]))
    assert losses_of(tmp_path / "history.csv") == [2, 2, 6, 0.5, 9.5]


def test_the_first_is_what_others_are_held_against():
    found = [Training("fp32", [10.0, 8.0], 1.2), Training("bf16", [10.1, 7.6], 3.9)]
    assert list(lines(found))[1:] == [
        "| fp32 | 10.000 | 8.000 | 9.000 | 1 |",
        "| bf16 | +1.00 % | -5.00 % | -1.67 % | 4 |",
    ]


def test_no_training_has_the_seconds_that_the_process_needs_to_begin(monkeypatch, capsys):
    """Imports take 30 s, a training 2 s and a hundredth of a second for each update."""
    clock = Namespace(now=0.0)
    began = []

    def train(slice_, *, output, **_):
        config = slice_.config.pretrain
        clock.now += (0 if began else 30) + 2 + config.steps / 100
        began.append(config.steps)
        output.mkdir(parents=True)
        rows = [f"{step},train,1.0" for step in range(1, config.steps + 1)]
        (output / "history.csv").write_text("\n".join(["step,split,loss", *rows, ""]))

    monkeypatch.setattr(precisions, "time", Namespace(perf_counter=lambda: clock.now))
    monkeypatch.setattr("ecglfm.training.pretraining.run_pretrain", train)
    project = Namespace(encoder_slice=lambda _: encoder_slice())
    monkeypatch.setattr("ecglfm.benchmark.pretraining.pretraining.prepared_project", lambda *_: project)
    assert main(["benchmark", "precisions", "--updates", "100", "--settings", "fp32,bf16", "--json"]) == 0
    found = [Training(*one) for one in json.loads(capsys.readouterr().out)["trainings"]]
    assert [(one.name, one.seconds) for one in found] == [("fp32", pytest.approx(3)), ("bf16", pytest.approx(3))]
    assert began == [5, 100, 100]


def test_all_that_differs_is_the_numbers():
    trained = {
        name: told(encoder_slice(), ARGS, name).config.pretrain for name in ("fp32", "bf16", "bf16-half-residual")
    }
    for name, own in trained.items():
        changed = {key: value for key, value in own if value != getattr(trained["fp32"], key)}
        assert changed == ({} if name == "fp32" else SETTINGS[name])
        assert (own.steps, own.batch_size, own.lr) == (500, 4, 1e-4)


def test_mistakes(repository, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    assert main(["benchmark", "precisions", "--updates", "4"]) == 1
    assert "--updates 4: at least 5" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["benchmark", "precisions", "--settings", "fp32,fp64"])
    assert "'fp64' is none of fp32, tf32, bf16" in capsys.readouterr().err
    untrained = encoder_slice()
    untrained = untrained.model_copy(update={"config": untrained.config.model_copy(update={"pretrain": None})})
    with pytest.raises(UserError, match="--encoder tiny: has no `pretrain:` section"):
        told(untrained, ARGS, "fp32")
