"""docs/ecg-lfm.md maps every option of the original to our config: its tables agree with the recipe, value by value."""

import re

import pytest
import yaml

from ecglfm.config import Project

SCRIPTS = "root --dest --leads --sample-rate --sec --only-norm --valid-percent --test-percent --group-by --ext --path-must-contain --seed"  # fmt: skip
LEDGER = "Different on purpose"
#: Overrides in the original's README, with their values.
README = {
    "Pretraining": {
        "task.data": "$MANIFEST_DIR", "dataset.valid_subset": "valid", "dataset.batch_size": 64,
        "dataset.num_workers": 10, "dataset.disable_validation": False,
        "distributed_training.distributed_world_size": 2, "optimization.update_freq": [2],
        "checkpoint.save_dir": "$OUTPUT_DIR", "checkpoint.save_interval": 10, "checkpoint.keep_last_epochs": 0,
        "common.log_format": "csv",
    },
    "Fine-tuning": {
        "task.data": "$MANIFEST_DIR", "model.model_path": "$PRETRAINED_MODEL", "model.num_labels": ...,
        "optimization.lr": [1e-6], "optimization.max_epoch": 100, "dataset.batch_size": 256, "dataset.num_workers": 5,
        "dataset.disable_validation": True, "distributed_training.distributed_world_size": 1,
        "distributed_training.find_unused_parameters": True, "checkpoint.save_dir": "$OUTPUT_DIR",
        "checkpoint.save_interval": 1, "checkpoint.keep_last_epochs": 0, "common.log_format": "csv",
    },
}  # fmt: skip
#: What the same option is called here, where the words differ.
WORDS = {"fp16": True, "fp32": False}


@pytest.fixture(scope="module")
def project(repository):
    content = yaml.safe_load((repository / "config/config.yaml").read_text())
    content |= yaml.safe_load((repository / "config/recipes/ecg-lfm.yaml").read_text())
    return Project(content, repository / "config")


@pytest.fixture(scope="module")
def tables(repository):
    """Section: list of (option, there, README, key, here, remark)."""
    found = {}
    for section in (repository / "docs/ecg-lfm.md").read_text().split("\n## ")[1:]:
        rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")][1:]
        found[section.splitlines()[0]] = [tuple(cell.strip().strip("`") for cell in row) for row in rows]
    return {title: rows for title, rows in found.items() if title not in {LEDGER, "Option by option"}}


@pytest.fixture(scope="module")
def restoring(repository):
    """Key and value of every `key: value` in the last column of the ledger."""
    section = (repository / "docs/ecg-lfm.md").read_text().partition(f"\n## {LEDGER}\n")[2].partition("\n## ")[0]
    cells = [line.strip("|").rpartition("|")[2] for line in section.splitlines() if line.startswith("| ")]
    return dict(said.split(": ") for cell in cells for said in re.findall(r"`([\w.]+: \w+)`", cell))


def value(text):
    """What a cell says, as YAML; a list of one, as the original writes a learning rate, is its element."""
    content = yaml.safe_load(text)
    return content[0] if isinstance(content, list) and len(content) == 1 else content


def configured(project, key):
    name, _, inner = key.rpartition(":")
    part = {"": project.config, "ecg-lfm": project.encoders["ecg-lfm"], "mimic_iv_ecg": project.sources["mimic_iv_ecg"]}
    found = part[name].model_dump(mode="json")
    for step in inner.split("."):
        found = found[step]
    return found[0] if isinstance(found, list) and len(found) == 1 else found


def test_the_ledger_names_keys_that_there_are_and_that_the_recipe_sets(project, restoring):
    """Those of trainings are in the recipe; the others hold for other data, or would fail its audit."""
    others = {"pretrain.objective.cmsc.pairs", "pretrain.min_seconds", "manifest.group_by"}
    assert others < set(restoring)
    for key, said in restoring.items():
        where = "" if key.startswith(("finetune.", "manifest.")) else "ecg-lfm:"
        found = configured(project, f"{where}{key}")  # KeyError where there is no such key
        assert (found == value(said)) == (key not in others), key


def test_every_row_tells_the_value_in_the_config(project, tables):
    rows = [row for table in tables.values() for row in table]
    assert len(rows) > 130
    for option, there, readme, key, here, remark in rows:
        if key == "-":
            assert not here, option
            continue
        assert configured(project, key) == value(here), option
        if not remark and re.fullmatch(r"[\w.-]+(\[\d\])?", option) and not option.endswith("_name"):
            assert (WORDS[here] if here in WORDS else value(here)) == value(readme or there), option


@pytest.mark.parametrize("section", list(README))
def test_every_override_of_the_readme_has_its_row(tables, section):
    rows = {row[0]: row for row in tables[section]}
    for option, given in README[section].items():
        assert rows[option][2], option
        if given is not ...:
            assert yaml.safe_load(rows[option][2]) == given, option


def test_every_option_of_the_scripts_has_its_row(tables):
    assert set(SCRIPTS.split()) <= {row[0] for row in tables["Preprocessing and manifest"]}


def test_the_readme_wins_over_the_config(project):
    pretrain, finetune = project.encoders["ecg-lfm"].pretrain, project.config.finetune
    assert (pretrain.batch_size, pretrain.num_workers, pretrain.processes, pretrain.accumulate) == (64, 10, 2, 2)
    assert (pretrain.checkpoint_every.epochs, pretrain.keep_last, pretrain.epochs) == (10, 0, 50)
    assert (finetune.lr, finetune.epochs, finetune.batch_size, finetune.num_workers) == (1e-6, 100, 256, 5)
