"""What a project refuses where its files do not go together, and the names of its fits."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from ecglfm.config import Project, UserError
from tests.unit.config.projects import BASE, project_of, two_encoders


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ("lrr: 1", "finetune.lrr: unknown key; did you mean 'lr'?"),
        ("lr: fast", "finetune.lr: Input should be a valid number, unable to parse string as a number, found 'fast'"),
        ("seeds: [1]", "finetune: seeds says which fits there are, for every encoder: write it in config.yaml"),
        ("schedule: {warm: 1}", "finetune.schedule.warm: unknown key; did you mean 'warmup'?"),
        ("loss: cox", "finetune.loss: cox does not fit task coin-toss of kind binary; write one of auto, bce, focal, asymmetric"),
    ],
)  # fmt: skip
def test_mistakes_in_an_encoders_finetune_name_file_and_key(
    repository: Path, tmp_path: Path, own: str, message: str
) -> None:
    folder = two_encoders(repository, tmp_path / "config", f"finetune: {{{own}}}")
    with pytest.raises(UserError) as error:
        Project(BASE | {"encoders": ["tiny", "mine"]}, folder)
    assert str(error.value) == f"{folder / 'encoders/mine.yaml'}: {message}"


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ("{of: mine}", "patient_id.of: mine: name another source, one whose patients are its own"),
        ("{of: other}", "patient_id.of: other: `patient_id.normalise` is None here and number there; one person would"),
        ("{of: nowhere}", "no such file"),
    ],
)
def test_whose_patients_a_sources_are(repository: Path, tmp_path: Path, ids: str, message: str) -> None:
    shutil.copytree(repository / "config", tmp_path / "config")
    for name, own in (("mine", ids), ("other", "{normalise: number}")):
        text = f"kind: muse_xml\nroot: data/{name}\npatient_id: {own}\n"
        (tmp_path / f"config/sources/{name}.yaml").write_text(text)
    with pytest.raises(UserError, match=re.escape(message)):
        Project({"sources": ["mine"], "encoders": [], "tasks": []}, tmp_path / "config")
    text = "kind: muse_xml\nroot: data/mine\npatient_id: {of: other, normalise: number}\n"
    (tmp_path / "config/sources/mine.yaml").write_text(text)
    project = Project({"sources": ["mine"], "encoders": [], "tasks": []}, tmp_path / "config")
    assert project.source_slice("mine").config.patient_id.of == "other"


def test_a_project_wide_mistake_is_not_blamed_on_the_encoder(repository: Path, tmp_path: Path) -> None:
    folder = two_encoders(repository, tmp_path / "config", "finetune: {lr: 1e-2}")
    with pytest.raises(UserError, match="^finetune.loss: cox does not fit"):
        Project(BASE | {"encoders": ["mine"], "finetune": {"loss": "cox"}}, folder)


def test_a_change_of_segments_that_signals_do_not_allow_is_refused_by_the_plan(repository: Path) -> None:
    tiny = yaml.safe_load((repository / "config/encoders/tiny.yaml").read_text())
    tiny["pretrain"] |= {"augment": [{"kind": "gain"}, {"kind": "rotation"}]}
    define = {"encoders": {"tiny": tiny}}
    assert len(project_of(repository, define=define).encoder_slice("tiny").config.pretrain.augment) == 2
    with pytest.raises(UserError, match=r"tiny: pretrain\.augment\.1: rotation: the heart's vector needs V1 to V6"):
        project_of(repository, define=define, preprocess={"leads": ["I", "II"]})
    finetune = {"augment": [{"kind": "rotation"}]}
    assert len(project_of(repository, finetune=finetune).finetune_slice("tiny").finetune.augment) == 1
    with pytest.raises(UserError, match=r"finetune\.augment\.0: rotation: the heart's vector needs V1 to V6"):
        project_of(repository, finetune=finetune, preprocess={"leads": ["I", "II"]})


def test_a_project_may_be_data_alone(repository: Path) -> None:
    project = Project({"sources": ["mine"], "encoders": [], "tasks": []}, repository / "config")
    assert {name for name in project.slices() if "/" in name and not name.startswith("discover/")} == {"source/mine"}


def test_fits_are_mode_and_seed(repository: Path) -> None:
    project = project_of(repository, finetune={"modes": ["full", "linear"], "seeds": [0, 3]})
    assert project.fits == ["full-s0", "full-s3", "linear-s0", "linear-s3"]


def test_an_encoder_without_weights_has_the_fits_in_which_only_a_head_learns(repository: Path) -> None:
    modes = {"modes": ["full", "frozen", "linear"], "seeds": [3]}
    project = project_of(repository, encoders=["tiny", "statistics"], finetune=modes)
    assert [fit for fit in project.fits if project.has_fit("tiny", fit)] == ["full-s3", "frozen-s3", "linear-s3"]
    assert [fit for fit in project.fits if project.has_fit("statistics", fit)] == ["frozen-s3", "linear-s3"]
    assert project.fit_beside("statistics", "frozen-s3") == "frozen-s3"
    assert project.fit_beside("statistics", "full-s3") == "linear-s3"
    with pytest.raises(UserError) as error:
        project_of(repository, encoders=["tiny", "statistics"])
    assert str(error.value) == (
        f"{repository / 'config/encoders/statistics.yaml'}: `kind: statistics` has no weights to train, only a head on it:"
        " add linear to config.yaml's `finetune.modes`, beside which its other fits stay"
    )
    assert project_of(repository, encoders=["statistics"], tasks=["identification"]).tasks == {}


def test_fits_of_shares_and_of_label_efficiency(repository: Path) -> None:
    efficiency = {"fractions": [0.005, 1.0], "seeds": [7, 8]}
    project = project_of(
        repository, finetune={"modes": ["full"], "fractions": [0.1, 1.0], "label_efficiency": efficiency}
    )
    assert project.fits == ["full-s0-10pct", "full-s0"]
    assert project.efficiency_fits == ["full-s7-0.5pct", "full-s7", "full-s8-0.5pct", "full-s8"]
    assert project.finetune_slice("tiny") == project_of(repository).finetune_slice(
        "tiny"
    )  # which fits there are reruns none


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        ({"3x": {"lr": 1.0}}, "finetune.variants: '3x' becomes the end of a fit's name: begin with a letter"),
        ({"f0of5": {"lr": 1.0}}, "finetune.variants: 'f0of5' becomes the end"),
        ({"same": {}}, "finetune.variants: same: no key: the variant would be the plain fit once more"),
        ({"more": {"seeds": [1]}}, "finetune.variants: more: seeds says which fits there are"),
        ({"lr3": {"rl": 1.0}}, "finetune.variants.lr3: finetune.rl: unknown key"),
        ({"lr3": {"lr": -1.0}}, "finetune.variants.lr3: finetune.lr: Input should be greater than 0, found -1.0"),
        ({"mse": {"loss": "mse"}}, "finetune.variants.mse: finetune.loss: mse does not fit task coin-toss"),
    ],
)
def test_mistakes_in_a_variant_are_told(repository: Path, variants: dict, said: str) -> None:
    with pytest.raises(UserError) as error:
        project_of(repository, finetune={"variants": variants})
    assert said in str(error.value)
