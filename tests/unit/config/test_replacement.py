"""What is said of results that a run is about to replace."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ecglfm.config.replacement import Planned, replacements

BEFORE = {
    "finetune/tiny": {"finetune": {"lr": 0.001, "epochs": 3, "schedule": {"kind": "constant", "warmup": 9}}},
    "pretrain/tiny": {"config": {"pretrain": {"steps": 200}}, "preprocess": {"sampling_rate": 500}},
    "evaluate": {"evaluate": {"bootstrap": 1000}},
    "other": {"evaluate": {"bootstrap": 1000}},
}
FITS = [Planned(f"results/finetune/tiny/{task}/full-s0", ["finetune/tiny"], [], "newer") for task in "abcde"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for name, content in BEFORE.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content))
    return tmp_path


def now(**changed: dict) -> dict[str, str]:
    """Slices with some replaced, `finetune_tiny` for `finetune/tiny`."""
    return {name: yaml.safe_dump(changed.get(name.replace("/", "_"), content)) for name, content in BEFORE.items()}


def test_a_learning_rate(config: Path) -> None:
    section = BEFORE["finetune/tiny"]["finetune"] | {"lr": 0.003}
    assert replacements(FITS[:1], now(finetune_tiny={"finetune": section}), config) == [
        "replaces results/finetune/tiny/a/full-s0 (finetune.lr 0.001 -> 0.003); to keep it, take the change back and add"
        " it as a variant: `finetune: {variants: {NAME: {lr: 0.003}}}`"
    ]


def test_many_results_of_one_cause_are_one_line_and_sections_stay_whole(config: Path) -> None:
    section = BEFORE["finetune/tiny"]["finetune"] | {"schedule": {"kind": "cosine", "warmup": 9}}
    evaluations = [
        Planned(f"results/evaluate/tiny/{fit.folder[-9:]}", ["finetune/tiny"], [fit.folder], "newer") for fit in FITS
    ]
    (line,) = replacements([*evaluations, *FITS], now(finetune_tiny={"finetune": section}), config)
    assert line == (
        "replaces results/finetune/tiny/a/full-s0, results/finetune/tiny/b/full-s0, results/finetune/tiny/c/full-s0,"
        " 2 more and 5 results made from them (finetune.schedule.kind constant -> cosine); to keep them, take the change"
        " back and add it as a variant: `finetune: {variants: {NAME: {schedule: {kind: cosine, warmup: 9}}}}`"
    )


@pytest.mark.parametrize(
    ("slices", "changed", "said"),
    [
        (["pretrain/tiny"], {"pretrain_tiny": {"config": {"pretrain": {"steps": 300}}, "preprocess": {"sampling_rate": 500}}},
         "(config.pretrain.steps 200 -> 300); to keep it, take the change back and write it to a copy,"
         " config/encoders/NAME.yaml beside tiny.yaml"),
        (["pretrain/tiny"], {"pretrain_tiny": {"config": {"pretrain": {"steps": 200}}, "preprocess": {"sampling_rate": 250}}},
         "(preprocess.sampling_rate 500 -> 250); to keep it, choose another folder for the new ones: `--config"
         " results=FOLDER`"),
        (["evaluate", "finetune/tiny"], {"evaluate": {"evaluate": {"bootstrap": 7}}},
         "(evaluate.bootstrap 1000 -> 7); to keep it, choose another folder"),
        (["evaluate", "other"], {"evaluate": {"evaluate": {"bootstrap": 7}}, "other": {"evaluate": {"bootstrap": 7}}},
         "(evaluate.bootstrap 1000 -> 7); to keep it, choose another folder"),
        (["evaluate"], {}, "(Code has changed); to keep it, choose another folder"),
    ],
)  # fmt: skip
def test_other_causes(config: Path, slices: list[str], changed: dict, said: str) -> None:
    (line,) = replacements([Planned("results/x", slices, [], "Code has changed")], now(**changed), config)
    assert line.startswith(f"replaces results/x {said}")


def test_different_causes_are_different_lines_and_a_lost_slice_is_no_error(config: Path) -> None:
    (config / "evaluate.yaml").unlink()
    planned = [Planned("results/x", ["evaluate"], [], "Forced execution"), *FITS[:1]]
    section = BEFORE["finetune/tiny"]["finetune"] | {"epochs": 4}
    lines = replacements(planned, now(finetune_tiny={"finetune": section}), config)
    assert [line.split(";")[0] for line in lines] == [
        "replaces results/x (Forced execution)",
        "replaces results/finetune/tiny/a/full-s0 (finetune.epochs 3 -> 4)",
    ]
