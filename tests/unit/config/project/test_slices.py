"""Slices: an edit reruns the stages that read it, and no others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from ecglfm.config import (
    Project,
    UserError,
)
from ecglfm.config.source_kinds import KINDS
from ecglfm.training.schedule import rate_factor
from tests.unit.config.projects import BASE, project_of, two_encoders


@pytest.mark.parametrize(
    ("change", "slices"),
    [
        ({"finetune": {"lr": 0.5}}, {"finetune/tiny"}),
        ({"finetune": {"modes": ["full", "linear"], "seeds": [0, 1]}}, set()),
        ({"finetune": {"variants": {"lr3": {"lr": 0.5}}}}, {"finetune/tiny/lr3"}),  # and no fit anew
        ({"evaluate": {"bootstrap": 7}}, {"evaluate", "serial"}),
        ({"serial": {"gaps": [7]}}, {"serial"}),
        ({"tracking": {"enabled": False}}, {"tracking"}),
        ({"card": {"intended_use": "teaching"}}, {"card"}),
        ({"manifest": {"seed": 7}}, {"manifest"}),
        ({"preprocess": {"notch": {}}}, {"preprocess", "pretrain/tiny"}),
        ({"tasks": ["coin-toss", "coin-toss-2"]}, {"labels/coin-toss-2"}),
    ],
)
def test_an_edit_changes_only_its_stages(repository: Path, tmp_path: Path, change: dict, slices: set[str]) -> None:
    config = tmp_path / "config"
    for folder, name in (("sources", "demo-ptbxl"), ("encoders", "tiny"), ("tasks", "coin-toss")):
        (config / folder).mkdir(parents=True)
        text = (repository / "config" / folder / f"{name}.yaml").read_text()
        (config / folder / f"{name}.yaml").write_text(text)
    (config / "tasks/coin-toss-2.yaml").write_text((config / "tasks/coin-toss.yaml").read_text())
    before, after = Project(BASE, config).slices(), Project(BASE | change, config).slices()
    assert {name for name in after if after[name] != before.get(name)} == slices


def test_an_encoders_own_finetune_wins_and_reruns_its_fits_only(repository: Path, tmp_path: Path) -> None:
    content = BASE | {"encoders": ["tiny", "mine"], "finetune": {"lr": 0.5, "epochs": 7, "schedule": {"warmup": 9}}}
    before = Project(content, two_encoders(repository, tmp_path / "before", "")).slices()
    own = "finetune: {lr: 1e-2, schedule: {kind: cosine}}"
    after = Project(content, two_encoders(repository, tmp_path / "after", own)).slices()
    assert {name for name in after if after[name] != before[name]} == {"finetune/mine"}
    found = {name: yaml.safe_load(after[f"finetune/{name}"])["finetune"] for name in ("tiny", "mine")}
    assert [(found[name]["lr"], found[name]["epochs"]) for name in found] == [(0.5, 7), (0.01, 7)]
    assert [found[name]["schedule"]["kind"] for name in found] == ["constant", "cosine"]
    assert [found[name]["schedule"]["warmup"] for name in found] == [9, 0]  # a section as a whole


def test_no_pretraining_is_told_of_finetune(repository: Path, tmp_path: Path) -> None:
    """What stands in a slice or in the identity of a checkpoint starts a training anew."""
    folder = two_encoders(repository, tmp_path / "config", "finetune: {lr: 1e-2}")
    slice_ = Project(BASE | {"encoders": ["mine"]}, folder).encoder_slice("mine")
    assert slice_.config.finetune == {"lr": 0.01}
    assert "finetune" not in slice_.model_dump(mode="json")["config"]


def test_the_supervised_baseline_trains_as_its_benchmark(repository: Path) -> None:
    """Strodthoff et al. 2021: one cycle, maximal rate 0.01, weight decay 0.01, whatever suits the pretrained ones."""
    finetune = {"lr": 5.0e-5, "head_lr": 1.0e-3, "layer_decay": 0.75, "patience": 3}
    slice_ = (
        project_of(repository, encoders=["xresnet1d101"], finetune=finetune).finetune_slice("xresnet1d101").finetune
    )
    assert (slice_.lr, slice_.head_lr, slice_.weight_decay, slice_.layer_decay) == (0.01, None, 0.01, 1.0)
    assert slice_.patience >= 50  # its 50 epochs are never cut short
    rates = [rate_factor(step, total=100, schedule=slice_.schedule) for step in range(100)]
    assert max(rates) == rates[29] == 1.0
    assert rates[0] < 0.1
    assert rates[-1] == 0.0


def test_number_of_shards_reruns_the_manifest_but_no_index(repository: Path, tmp_path: Path) -> None:
    config = tmp_path / "config"
    for folder, name in (("sources", "demo-ptbxl"), ("encoders", "tiny"), ("tasks", "coin-toss")):
        (config / folder).mkdir(parents=True)
        (config / folder / f"{name}.yaml").write_text((repository / "config" / folder / f"{name}.yaml").read_text())
    before = Project(BASE, config).slices()
    source = config / "sources/demo-ptbxl.yaml"
    source.write_text(source.read_text().replace("shards: 2", "shards: 5"))
    after = Project(BASE, config).slices()
    assert {name for name in after if after[name] != before[name]} == {"manifest"}


def test_a_licence_is_told_to_the_cards_alone(repository: Path, tmp_path: Path) -> None:
    """It changes no number: no recording is read anew for it."""
    shutil.copytree(repository / "config", tmp_path / "config")
    before = Project(BASE, tmp_path / "config").slices()
    source = tmp_path / "config/sources/demo-ptbxl.yaml"
    text = source.read_text()
    assert "licence: simulated, of no person\n" in text
    source.write_text(text.replace("simulated, of no person", "CC BY 4.0"))
    after = Project(BASE, tmp_path / "config").slices()
    assert {name for name in after if after[name] != before[name]} == {"card"}
    assert yaml.safe_load(after["card"])["licences"] == {"demo-ptbxl": "CC BY 4.0"}


def test_what_an_encoder_says_of_itself_is_told_to_the_cards_alone(repository: Path, tmp_path: Path) -> None:
    shutil.copytree(repository / "config", tmp_path / "config")
    before = Project(BASE, tmp_path / "config").slices()
    assert "encoder_licences" not in before["card"]  # so that no card is made anew where there is none
    path = tmp_path / "config/encoders/tiny.yaml"
    path.write_text(path.read_text() + "\nlicence: CC BY-NC 4.0\n")
    after = Project(BASE, tmp_path / "config").slices()
    assert {name for name in after if after[name] != before[name]} == {"card"}
    assert yaml.safe_load(after["card"])["encoder_licences"] == {"tiny": "CC BY-NC 4.0"}


def test_every_shipped_database_says_its_licence(repository: Path) -> None:
    shipped = {path.stem: yaml.safe_load(path.read_text()) for path in (repository / "config/sources").glob("*.yaml")}
    of_others = {
        name for name, one in shipped.items() if one["kind"] in KINDS and "databases" in KINDS[one["kind"]].adapter
    }
    assert {"ptbxl", "echonext", "sph", "code_test"} <= of_others
    assert [name for name in sorted(of_others) if not shipped[name].get("licence")] == []


def test_a_mixture_chooses_the_sources_of_a_pretraining(repository: Path) -> None:
    def project(mixture: dict) -> Project:
        tiny = yaml.safe_load((repository / "config/encoders/tiny.yaml").read_text())
        tiny["pretrain"] |= {"mixture": mixture}
        change = {"sources": ["demo-ptbxl", "demo-mimic"], "define": {"encoders": {"tiny": tiny}}}
        return project_of(repository, **change)

    pretrain = project({"demo-mimic": 1}).encoder_slice("tiny").config.pretrain
    assert (pretrain.sources, pretrain.mixture) == (["demo-mimic"], {"demo-mimic": 1})
    one, other = ({"demo-mimic": 1, "demo-ptbxl": 3}, {"demo-ptbxl": 3, "demo-mimic": 1})
    assert project(one).slices()["pretrain/tiny"] == project(other).slices()["pretrain/tiny"]
    with pytest.raises(
        UserError, match=r"tiny: pretrain\.mixture: 'mimic' is not in \S+ sources: demo-ptbxl, demo-mimic"
    ):
        project({"mimic": 1})


def test_order_of_sources_changes_no_pretraining(repository: Path) -> None:
    one = project_of(repository, sources=["demo-ptbxl", "demo-mimic"]).slices()
    other = project_of(repository, sources=["demo-mimic", "demo-ptbxl"]).slices()
    assert one["pretrain/tiny"] == other["pretrain/tiny"]


def test_what_stratifies_moves_patients_only_where_a_label_changes(repository: Path, tmp_path: Path) -> None:
    """The tasks of `stratify` are read by the stage manifest; those of `tasks` are not, nor is what changes no label."""
    folder = tmp_path / "config"
    shutil.copytree(repository / "config", folder)
    both = BASE | {"sources": ["demo-ptbxl", "demo-mimic"]}
    stratified = both | {"manifest": {"stratify": ["af"]}}
    expected = Project(stratified, folder).slices()["manifest"]
    assert expected != Project(both, folder).slices()["manifest"]
    path = folder / "tasks/af.yaml"
    content = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(content | {"description": "another", "min_positives": 7, "rare": "leave_out"}))
    assert Project(stratified | {"tasks": ["coin-toss", "diagnosis", "af"]}, folder).slices()["manifest"] == expected
    path.write_text(yaml.safe_dump(content | {"exclude": {"ptbxl": {"scp": ["PACE"]}}}))
    assert Project(stratified, folder).slices()["manifest"] != expected


def test_evaluate_is_told_which_sources_are_only_tested(repository: Path) -> None:
    def told(**manifest: object) -> list[str]:
        project = project_of(repository, sources=["demo-ptbxl", "demo-mimic"], manifest=manifest)
        return project.evaluate_slice().tested_only

    assert told() == told(fractions={"demo-mimic": {"valid": 0.5, "test": 0.4}}) == []
    assert told(fractions={"demo-mimic": {"test": 1}}) == ["demo-mimic"]
    folds = {"train": [], "valid": [], "test": [9, 10]}
    assert told(folds={"demo-ptbxl": folds}) == ["demo-ptbxl"]
    assert told(folds={"demo-ptbxl": folds | {"valid": [8]}}) == []


def test_a_variant_wins_over_the_encoders_own_and_adds_fits(repository: Path, tmp_path: Path) -> None:
    own = "finetune: {lr: 1e-2, head_lr: 1e-3}"
    content = BASE | {"encoders": ["tiny", "mine"], "finetune": {"epochs": 7, "variants": {"lr3": {"lr": 0.25}}}}
    project = Project(content, two_encoders(repository, tmp_path / "config", own))
    assert project.fits == ["full-s0", "full-s0-lr3"]
    assert project.efficiency_fits[:2] == ["full-s0-1pct", "full-s0-5pct"]  # without variants
    slices = {name: yaml.safe_load(text)["finetune"] for name, text in project.slices().items() if "finetune/" in name}
    assert {name: (one["lr"], one["head_lr"], one["epochs"]) for name, one in slices.items()} == {
        "finetune/tiny": (5e-5, None, 7), "finetune/tiny/lr3": (0.25, None, 7),
        "finetune/mine": (0.01, 0.001, 7), "finetune/mine/lr3": (0.25, 0.001, 7),
    }  # fmt: skip
    assert not any("variants" in one for one in slices.values())
