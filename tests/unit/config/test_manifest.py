"""Splits in the config: what contradicts itself is refused."""

import pytest

from ecglfm.config import ManifestConfig, UserError, parse


def test_a_bad_query_is_an_error_of_the_config():
    with pytest.raises(UserError, match=r"config\.yaml: query: `age` is no comparison"):
        parse(ManifestConfig, {"query": "age"}, "config.yaml")


def test_a_source_with_folds_and_fractions_is_an_error():
    folds = {"a": {"train": [1], "valid": [2], "test": [3]}}
    with pytest.raises(UserError, match="'a' stands in `folds` and in `fractions`"):
        parse(ManifestConfig, {"folds": folds, "fractions": {"a": {"valid": 0.1, "test": 0}}}, "config.yaml")


@pytest.mark.parametrize(
    ("keys", "splits"),
    [
        ({}, {"train", "valid", "test"}),
        ({"valid_fraction": 0}, {"train", "valid", "test"}),  # a project without validation is worth a warning
        ({"fractions": {"a": {"test": 1}}}, {"test"}),
        ({"fractions": {"b": {"test": 1}}}, {"train", "valid", "test"}),
        ({"fractions": {"a": {"valid": 0.1, "test": 0}}}, {"train", "valid"}),
        ({"folds": {"a": {"train": [1], "valid": [], "test": [2]}}}, {"train", "test"}),
        ({"folds": {"a": {"k": 5}}}, {"train", "valid", "test"}),
    ],
)
def test_splits_that_a_source_should_fill(keys: dict, splits: set[str]) -> None:
    assert ManifestConfig(**keys).expected("a") == splits


def test_a_source_may_be_tested_only():
    assert parse(ManifestConfig, {"fractions": {"x": {"test": 1}}}, "config.yaml").shares("x") == {
        "train": 0,
        "valid": 0,
        "test": 1,
    }
    for wrong in ({"test": 1, "valid": 0.1}, {"test": 0.9, "valid": 0.1}, {"valid": 0.1, "test": 1.5}):
        with pytest.raises(UserError, match=r"^config\.yaml: fractions\.x"):
            parse(ManifestConfig, {"fractions": {"x": wrong}}, "config.yaml")


def test_records_are_not_stratified():
    with pytest.raises(UserError, match="`stratify` splits patients"):
        parse(ManifestConfig, {"group_by": "record", "stratify": ["af"]}, "config.yaml")
