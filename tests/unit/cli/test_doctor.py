"""`ecglfm doctor`: a line for each thing, and an exit status that tells."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml

from ecglfm.app.doctor import device, machine
from ecglfm.app.doctor.finding import fail, ok, skip
from ecglfm.cli import main


@pytest.fixture
def config(tmp_path: Path, repository: Path) -> Path:
    """A config folder of one's own, with results in the same place."""
    folder = tmp_path / "config"
    shutil.copytree(repository / "config", folder)
    content = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump(content | {"results": str(tmp_path / "results")}))
    return folder


def test_command(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    def unforeseen():
        raise ZeroDivisionError("by zero")
        yield

    monkeypatch.setattr(machine, "check_engine", lambda: iter(()))
    os.makedirs(tmp_path / "results")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("finetune: {epochs: 1}\n")
    doctor = ["doctor", "--folder", str(config), "--configfile", str(recipe)]
    status = main(doctor)
    shown = capsys.readouterr().out.splitlines()
    assert {line[:5] for line in shown} <= {"ok   ", "warn ", "fail "}
    assert status == any(line.startswith("fail") for line in shown)
    recipe.write_text("sources: [ptbxl]\nencoders: []\ntasks: []\nroots: {ptbxl: nowhere}\n")
    assert main(doctor) == 1
    assert "fail source ptbxl: there is no folder nowhere" in capsys.readouterr().out
    monkeypatch.setattr(machine, "check_cuda", unforeseen)
    assert main(doctor) == 1
    shown = capsys.readouterr().out
    assert "fail CUDA: ZeroDivisionError: by zero\n" in shown
    assert "fail source ptbxl" in shown  # the others go on


@pytest.mark.parametrize(
    ("arguments", "found", "encoders", "status"),
    [
        (["--gpu"], skip("GPU: none"), ["tiny"], 3),
        (["--gpu"], ok("GPU 0"), ["tiny"], 0),
        (["--gpu", "base", "small"], fail("GPU 0"), ["base", "small"], 1),
        ([], fail("not asked"), None, 0),
    ],
)
def test_what_is_asked_of_gpus_and_the_exit_status(
    config: Path, monkeypatch, arguments, found, encoders, status
) -> None:
    asked = []
    for name in ("check_engine", "check_cuda", "check_compiler"):
        monkeypatch.setattr(machine, name, lambda: iter(()))
    monkeypatch.setattr(device, "check_devices", lambda: iter([found]))
    monkeypatch.setattr(device, "check_trainings", lambda slices: iter(asked.append(slices) or ()))
    assert main(["doctor", "--folder", str(config), *arguments]) == status
    assert [[one.encoder for one in slices] for slices in asked] == ([] if encoders is None else [encoders])
