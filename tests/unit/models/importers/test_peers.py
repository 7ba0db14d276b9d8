"""docs/peers.md and the YAMLs of encoders of others: commands, and facts that stand in two places."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from ecglfm.cli import main
from ecglfm.config import UserError
from ecglfm.config.databases import DATABASES
from ecglfm.config.origin import Origin
from ecglfm.config.project.definitions import DefineConfig, Definitions
from ecglfm.provenance import read_json
from tests.pages import commands
from tests.unit.models.importers.recipe import drawn

PAGE = "docs/peers.md"
#: What the page calls a file or folder, and where a small one lies.
FILES = {
    "12_lead_ECGFounder.pth": "ecgfounder/12_lead_ECGFounder.pth",
    "last_11597276.ckpt": "ecg-cpc/last_11597276.ckpt",
    "multiblock_epoch100.pth": "ecg-jepa/multiblock_epoch100.pth",
    "mimic_iv_ecg_physionet_pretrained.pt": "ecg-fm/mimic_iv_ecg_physionet_pretrained.pt",
    "hubert-ecg-small": "hubert-ecg",
    "st_mem_vit_base_encoder.pth": "st-mem/st_mem_vit_base_encoder.pth",
    "vit_tiny_best_encoder.pth": "merl/vit_tiny_best_encoder.pth",
    "weights.pt": "echonext/weights.pt",
    "model.pth": "code-resnet/model.pth",
}


def definitions(repository: Path) -> Definitions:
    return Definitions(repository / "config", DefineConfig(), Origin(repository / "config/config.yaml"))


def shipped(repository: Path) -> dict[str, dict]:
    """Content of every YAML of an encoder that is imported."""
    found = {path.stem: yaml.safe_load(path.read_text()) for path in (repository / "config/encoders").glob("*.yaml")}
    return {name: content for name, content in sorted(found.items()) if content.get("weights") == "import"}


def test_every_encoder_of_others_says_whose_it_is_and_how_to_get_it(repository: Path) -> None:
    found = shipped(repository)
    assert len(found) == 12
    page = (repository / PAGE).read_text()
    for name, content in found.items():
        text = (repository / f"config/encoders/{name}.yaml").read_text()
        assert set(content) == {"weights", "path", "licence", "pretrained_on"}, name
        assert content["path"] == f"encoders/{name}"
        assert set(content["pretrained_on"]) <= DATABASES.keys()
        (command,) = re.findall(r"^#   (python -m ecglfm import-checkpoint .*)$", text, re.M)
        assert command.endswith(f" --output encoders/{name}")
        one_of_three = re.sub(r"hubert-ecg-\w+", "hubert-ecg-small", command)
        assert one_of_three in commands(repository / PAGE)
        assert f"`{name}`" in page or f"`{name.removeprefix('hubert-ecg')}`" in page


def test_without_its_folder_an_encoder_is_refused_in_one_line(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"ecg-jepa.yaml: path: encoders/ecg-jepa holds no encoder.json; give a folder"):
        definitions(repository).encoder("ecg-jepa")


def test_every_command_of_the_page_makes_what_its_yaml_takes(
    repository: Path, peers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, path in FILES.items():
        (shutil.copytree if (peers / path).is_dir() else shutil.copy)(peers / path, name)
    shutil.copy(peers / "code-resnet/config.json", "config.json")
    torch.save(drawn(read_json(peers / "merl/state_full_resnet18.json")), "res18_best_encoder.pth")  # it has one size
    made = []
    for command in commands(repository / PAGE):
        *words, output = command.split()[3:]
        heads = ["--heads", "4"] if "multiblock" in words[1] else []  # of the small one, which its file does not say
        assert main([*words, output, *heads]) == 0, command
        made.append(Path(output).name)
    assert len(made) == len(FILES) + 1
    for name in made:
        encoder, info = definitions(repository).encoder(name), read_json(Path("encoders") / name / "encoder.json")
        assert encoder.model.model_dump(mode="json") == info["model"]
        said = yaml.safe_load((Path("encoders") / name / "encoder.yaml").read_text())
        for facts in (info["imported"], said):
            assert (facts["licence"], facts["pretrained_on"]) == (encoder.licence, encoder.pretrained_on), name
