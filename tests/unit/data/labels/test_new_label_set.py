"""A label set is one YAML: those of docs/config/labels.md, word for word, run by the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.cli import main
from ecglfm.config import Project, read_yaml
from tests.pages import blocks

COLUMNS = {"path": "", "age": 50.0, "sex": None, "fold": None, "codes": [], "report": ""}


def examples(repository: Path) -> list[str]:
    """The YAML files in the section about label sets, as a reader would copy them."""
    return [block.text for block in blocks(repository / "docs/config/labels.md", "yaml")]


@pytest.fixture
def labels(repository: Path, tmp_path: Path):
    """Run `labels` of a YAML on the rows of an index per source; gives the table by record."""

    def run(text: str, rows: dict[str, tuple[str, dict]]) -> pd.DataFrame:
        config = tmp_path / "config"
        (config / "tasks").mkdir(parents=True, exist_ok=True)
        (config / "sources").mkdir(exist_ok=True)
        (config / "tasks/mine.yaml").write_text(text)
        whole, paths = [], []
        for source, (kind, columns) in rows.items():
            (config / f"sources/{source}.yaml").write_text(f"kind: {kind}\nroot: data/{source}\n")
            index = pd.DataFrame(columns)
            for name, value in COLUMNS.items():
                if name not in index:
                    index[name] = [value] * len(index)
            index["source"] = source
            paths.append(tmp_path / f"{source}.parquet")
            index.to_parquet(paths[-1], index=False)
            whole.append(index[["record_id", "patient_id", "source"]])
        pd.concat(whole).assign(split="train").sort_values("record_id").to_parquet(tmp_path / "records.parquet")
        chosen = {"results": str(tmp_path), "sources": list(rows), "encoders": [], "tasks": ["mine"]}
        slices = Project(read_yaml(repository / "config/config.yaml") | chosen, config).slices()
        (tmp_path / "slice.yaml").write_text(slices["labels/mine"])
        command = ["labels", "--config", tmp_path / "slice.yaml", "--manifest", tmp_path / "records.parquet"]
        assert main([*map(str, [*command, "--output", tmp_path / "mine.parquet", "--index", *paths])]) == 0
        table = pd.read_parquet(tmp_path / "mine.parquet").set_index("record_id")
        return table[[column for column in table.columns if "." in column]]

    return run


def test_labels_of_a_database(repository: Path, labels) -> None:
    text = examples(repository)[0]
    statements = [
        [{"code": "IMI", "likelihood": 15.0}],
        [{"code": "LVH", "likelihood": 100.0}, {"code": "AMI", "likelihood": 0.0}],
        [{"code": "LVH", "likelihood": 35.0}],
        [{"code": "LVH", "likelihood": 50.0}],
    ]
    classes = {"IMI": "MI", "AMI": "MI", "LVH": "HYP"}
    rows = {
        "record_id": [f"ptbxl/{i}" for i in range(4)],
        "patient_id": [f"ptbxl/{i}" for i in range(4)],
        "codes": statements,
        "native.scp_class": [[classes[code["code"]] for code in row] for row in statements],
        "native.scp_subclass": [[code["code"] for code in row] for row in statements],
    }
    table = labels(text, {"ptbxl": ("ptbxl", rows)})
    assert table["label.MI"].to_dict() == {"ptbxl/0": 1, "ptbxl/1": 1, "ptbxl/3": 0}  # 2 has neither: dropped
    assert table["label.LVH"].to_dict() == {"ptbxl/0": 0, "ptbxl/1": 1, "ptbxl/3": 1}


def test_a_new_column_of_the_database(repository: Path, labels) -> None:
    text = next(text for text in examples(repository) if "pacemaker" in text)
    rows = {
        "record_id": [f"mine/{i}" for i in range(5)],
        "patient_id": [f"mine/{i}" for i in range(5)],
        "native.device": ["CS-12", "AT-6", "AT-6", None, "CS-12"],
        "native.pacemaker": ["yes", "no", None, "Yes", "no"],
        "native.beats": ["61", "120", "80", "70", None],
        "native.icd": ["I21.4; I10", "I10", None, "I22", "Z95.0"],
    }
    table = labels(text, {"mine": ("wfdb_folder", rows)})
    expected = {"mine/0": 1, "mine/1": 0, "mine/3": 1, "mine/4": 0}
    assert table["label.paced"].dropna().to_dict() == expected
    assert table["label.fast"].dropna().to_dict() == {"mine/0": 0, "mine/1": 1, "mine/2": 0, "mine/3": 0}
    assert table["label.infarct"].dropna().to_dict() == {"mine/0": 1, "mine/1": 0, "mine/3": 1, "mine/4": 0}


def test_a_file_of_ones_own(repository: Path, labels, tmp_path: Path) -> None:
    text = next(text for text in examples(repository) if "lvef" in text)
    (tmp_path / "config/labels").mkdir(parents=True)
    (tmp_path / "config/labels/echo.csv").write_text("patient_id,lvef\n100,55\n300,31.5\n")
    rows = {
        "record_id": [f"mimic/{i}" for i in range(4)],
        "patient_id": ["mimic/100", "mimic/100", "mimic/200", "mimic/300"],
    }
    table = labels(text, {"mimic": ("mimic_iv_ecg", rows)})
    assert table["label.lvef"].to_dict() == {"mimic/0": 55, "mimic/1": 55, "mimic/3": 31.5}


def test_files_of_fairseq_signals(repository: Path, labels, tmp_path: Path) -> None:
    text = next(text for text in examples(repository) if "y_npy" in text)
    folder = tmp_path / "config/labels"
    folder.mkdir(parents=True)
    np.save(folder / "y.npy", np.array([[0, 1], [1, 0]], np.float32))
    (folder / "label_def.csv").write_text("name\nMI\nAFIB\n")
    (folder / "meta.csv").write_text("study_id,idx\n7,1\n8,0\n")
    rows = {"record_id": ["mimic/7", "mimic/8"], "patient_id": ["mimic/1", "mimic/2"], "native.study_id": ["7", "8"]}
    table = labels(text, {"mimic": ("mimic_iv_ecg", rows)})
    assert table["label.MI"].to_dict() == {"mimic/7": 1, "mimic/8": 0}
