"""`manifest.folds: {SOURCE: {k: 5}}`: which fits it asks for, and what does not go together with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import ManifestConfig, Project, UserError, parse

FOLDS = {"demo-ptbxl": {"k": 3}}
OWN = {"train": [1], "valid": [2], "test": [3]}
HELPS = {"demo-mimic": {"valid": 0.1, "test": 0}}


def project(repository: Path, **content: object) -> Project:
    """One with a cross-validated source and an encoder that was not pretrained."""
    base = {
        "sources": ["demo-ptbxl"],
        "encoders": ["random-tiny"],
        "tasks": ["coin-toss"],
        "manifest": {"folds": FOLDS},
    }
    return Project(base | content, repository / "config")


def test_a_fit_of_a_cross_validated_task_is_a_model_of_each_fold(repository: Path) -> None:
    several = project(repository, sources=["demo-ptbxl", "demo-mimic"], manifest={"folds": FOLDS, "fractions": HELPS})
    assert several.cross_validated("coin-toss") == 3
    assert several.models("coin-toss", "full-s0") == ["full-s0-f0of3", "full-s0-f1of3", "full-s0-f2of3"]
    without = project(repository, manifest={})
    assert without.cross_validated("coin-toss") is None
    assert without.models("coin-toss", "full-s0") == ["full-s0"]
    assert several.evaluate_slice().tested_only == []
    assert not several.config.manifest.by_chance("demo-ptbxl")


def test_an_encoder_learns_from_no_cross_validated_source(repository: Path) -> None:
    beside = project(
        repository, sources=["demo-ptbxl", "demo-mimic"], encoders=["tiny"],
        manifest={"folds": FOLDS, "fractions": HELPS},
    )  # fmt: skip
    assert beside.pretrain_sources("tiny") == ["demo-mimic"]
    assert beside.encoder_slice("tiny").config.pretrain.sources == ["demo-mimic"]
    with pytest.raises(UserError, match=r"tiny.yaml: pretrain: every source is cross-validated .* none is left"):
        project(repository, encoders=["tiny"])


def test_an_encoder_that_names_a_cross_validated_source_is_refused(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    for folder in ("sources", "tasks"):
        (tmp_path / "config" / folder).symlink_to(repository / "config" / folder)
    (tmp_path / "config/encoders").mkdir()
    text = (
        (repository / "config/encoders/tiny.yaml")
        .read_text()
        .replace("pretrain:", "pretrain:\n  sources: [demo-ptbxl]")
    )
    (tmp_path / "config/encoders/tiny.yaml").write_text(text)
    with pytest.raises(UserError, match=r"tiny.yaml: pretrain.sources: 'demo-ptbxl' is cross-validated .* take it out"):
        project(tmp_path, encoders=["tiny"], sources=["demo-ptbxl", "demo-mimic"])


@pytest.mark.parametrize(
    ("folds", "said"),
    [
        ({"a": {"k": 2}}, "config.yaml: folds.a.k: Input should be greater than or equal to 3, found 2"),
        ({"a": {"k": 5, "train": [1]}}, "folds.a: `k` deals the patients out by itself; leave 'train' out"),
        (
            {"a": {"train": [1], "valid": [2]}},
            "folds.a: 'test' is missing: name train, valid and test, or write {k: 5}",
        ),
        ({"a": {}}, "folds.a: 'train' is missing"),
        ({"a": {"k": 5}, "b": {"k": 3}}, "`folds` has k: 3 and k: 5; a project has one number of folds"),
    ],
)
def test_folds_are_a_number_or_splits(folds: dict, said: str) -> None:
    with pytest.raises(UserError) as error:
        parse(ManifestConfig, {"folds": folds}, "config.yaml")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_records_are_not_cross_validated() -> None:
    with pytest.raises(UserError, match="`folds` with `k` cross-validates patients; write `group_by: patient`"):
        parse(ManifestConfig, {"folds": {"a": {"k": 5}}, "group_by": "record"}, "config.yaml")
    parse(ManifestConfig, {"folds": {"a": OWN}, "group_by": "record"}, "config.yaml")


@pytest.mark.parametrize("own", [{}, {"test": 1}, {"valid": 0.1, "test": 0.1}])
def test_a_source_with_a_test_of_its_own_beside_a_cross_validated_one_is_refused(repository: Path, own: dict) -> None:
    fractions = {"demo-mimic": own} if own else {}
    with pytest.raises(
        UserError, match=r"task 'coin-toss' tests 'demo-ptbxl' by .* 'demo-mimic' may only help to train"
    ):
        project(repository, sources=["demo-ptbxl", "demo-mimic"], manifest={"folds": FOLDS, "fractions": fractions})


def test_few_patients_of_few_are_refused(repository: Path) -> None:
    with pytest.raises(UserError, match=r"finetune.fractions: task 'coin-toss' is cross-validated"):
        project(repository, finetune={"fractions": [0.1, 1.0]})
    project(repository, manifest={}, finetune={"fractions": [0.1, 1.0]})


def test_what_a_manifest_was_asked_for_is_written_as_before() -> None:
    """A slice with another text runs its stage again: that of own folds has no `k`, that of `k` nothing else."""
    written = parse(ManifestConfig, {"folds": {"a": OWN, "b": {"k": 5}}}, "config.yaml").model_dump(mode="json")
    assert written["folds"] == {"a": {"column": None} | OWN, "b": {"k": 5}}
    assert parse(ManifestConfig, written, "config.yaml").cross_validated == {"b": 5}
