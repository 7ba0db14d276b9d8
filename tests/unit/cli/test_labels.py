"""`describe-labels` on a hand-made index of two databases."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ecglfm.cli import main
from ecglfm.cli.arguments import read_project
from ecglfm.config import UserError
from ecglfm.data.labels import run_labels

CONFIG = """
results: {root}/results
sources: [a, b]
encoders: [none]
tasks: [none]
"""
TASK = """
kind: multilabel
description: Two rhythms and a typing error.
labels:
  AFIB:
    ptbxl: {scp: [AFIB, AFIBB, AFLT]}
    mimic_iv_ecg: {report: [fibrillation, flutter]}
  SR:
    ptbxl: {scp: [SR], column: {nurse: ['1', '7']}}
  RARE:
    ptbxl: {scp: [PVC]}
exclude:
  mimic_iv_ecg: {report: [poor quality]}
missing: drop
rare: leave_out
"""


def codes(*names: str) -> list[dict]:
    return [{"code": name, "likelihood": 100.0} for name in names]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with two databases, whose index and manifest are there."""
    config = tmp_path / "config"
    for name in ("sources", "tasks", "encoders"):
        (config / name).mkdir(parents=True)
    (config / "config.yaml").write_text(CONFIG.format(root=tmp_path))
    (config / "sources/a.yaml").write_text("kind: ptbxl\nroot: a\n")
    (config / "sources/b.yaml").write_text("kind: mimic_iv_ecg\nroot: b\n")
    (config / "tasks/t.yaml").write_text(TASK)
    statements = [codes("AFIB"), codes("SR"), codes("AFIB", "SR"), codes("PVC", "SR"), codes("AFIB"), codes("X")]
    reports = ["sinus", "atrial fibrillation", "no fibrillation", "fibrillation, poor quality"]
    a = pd.DataFrame({"record_id": [f"a/{i}" for i in range(6)], "source": "a", "codes": statements, "report": ""})
    b = pd.DataFrame({"record_id": [f"b/{i}" for i in range(4)], "source": "b", "codes": [[]] * 4, "report": reports})
    a = a.assign(**{"native.nurse": ["1", "2", None, "2", "2", "2"]})
    for column in ("native.scp_class", "native.scp_subclass"):
        a[column] = [[""] * len(row) for row in statements]
    (tmp_path / "results/index").mkdir(parents=True)
    (tmp_path / "results/manifest").mkdir()
    whole = []
    for name, index in (("a", a), ("b", b)):
        index = index.assign(patient_id=index["record_id"], path="", age=1.0, sex=None, fold=None)
        index.to_parquet(tmp_path / f"results/index/{name}.parquet", index=False)
        whole.append(index[["record_id", "patient_id", "source"]])
    splits = ["train", "train", "valid", "test", "train", "train", "train", "train", "test", "valid"]
    pd.concat(whole).assign(split=splits).to_parquet(tmp_path / "results/manifest/records.parquet", index=False)
    return config


def test_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe-labels", "t", "--config", str(folder / "config.yaml")]) == 0
    text = """\
t: multilabel, 3 labels. Two rhythms and a typing error.

records  train  valid  test  all
a            3      1     1    5
b            1      0     0    1
all          4      1     1    6

left out, excluded: 1 (taken out by `exclude`)
left out, no_label: 3 (carries none of the task's labels)

carry it  train  valid  test  all  known   share    a        b
AFIB          3      1     0    4      6  66.7 %  3/5      1/1
SR            2      1     1    4      5  80.0 %  4/5  unknown
RARE          0      0     1    1      5  20.0 %  1/5  unknown

together     records  of the first  of the second
AFIB and SR        2        50.0 %         50.0 %
SR and RARE        1        25.0 %        100.0 %

matches nothing: labels.AFIB.ptbxl: scp 'AFIBB'; near ones are AFIB
matches nothing: labels.AFIB.ptbxl: scp 'AFLT'; near ones are AFIB
matches nothing: labels.SR.ptbxl: nurse '7'; there are 1, 2
matches nothing: labels.AFIB.mimic_iv_ecg: report 'flutter'

left out: label 'RARE' has no positive among 3 training records (positives: train 0, valid 0, test 1)
"""
    assert capsys.readouterr().out == text


def test_numbers_and_times(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "tasks/n.yaml").write_text(
        "kind: regression\nsources: [a]\nmin_positives: 9\nlabels: {nurse: {ptbxl: {value: nurse}}}\n"
    )
    assert main(["describe-labels", "n", "--config", str(folder / "config.yaml")]) == 0
    out = capsys.readouterr().out
    assert "known  train  valid  test  all  mean   SD\nnurse      4      0     1    5   1.8  0.4\n" in out
    assert "stops `labels`: label 'nurse' has 4 known numbers, fewer than 9, among 4 training records" in out
    (folder / "tasks/s.yaml").write_text(
        'kind: survival\nsources: [a]\nlabels: {d: {ptbxl: {time: nurse, event: "nurse == 2"}}}\n'
    )
    assert main(["describe-labels", "s", "--config", str(folder / "config.yaml")]) == 0
    out = capsys.readouterr().out
    assert (
        "events  train  valid  test  all  known   share  mean time\nd           3      0     1    4      5  80.0 %"
        in out
    )


def made_of(folder: Path, task: str) -> pd.DataFrame:
    """What `labels` makes of a task."""
    project = read_project(folder / "config.yaml", [], tasks=[task], encoders=[])
    results = folder.parent / "results"
    index = [results / f"index/{source}.parquet" for source in project.task_sources(task)]
    run_labels(project.task_slice(task), results / "manifest/records.parquet", index, results / f"{task}.parquet")
    return pd.read_parquet(results / f"{task}.parquet")


def test_records_of_a_class_that_is_left_out_are_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is said is what `labels` makes: of a class that no training record has, the one in test is not counted."""
    (folder / "tasks/c.yaml").write_text(
        "kind: multiclass\nsources: [a]\nrare: leave_out\nlabels:\n  AFIB: {ptbxl: {scp: [AFIB]}}\n"
        "  X: {ptbxl: {scp: [X]}}\n  PVC: {ptbxl: {scp: [PVC]}}\nmissing: drop\n"
    )
    assert main(["describe-labels", "c", "--config", str(folder / "config.yaml")]) == 0
    out = capsys.readouterr().out
    made = made_of(folder, "c")
    assert sorted(made["record_id"]) == ["a/0", "a/2", "a/4", "a/5"]
    assert "records  train  valid  test  all\na            3      1     0    4\n" in out
    assert "left out, rare_class: 1 (" in out
    assert "left out: label 'PVC' has no positive among 3 training records" in out


def test_nothing_stops_a_cohort_that_is_only_measured(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = folder.parent / "results/manifest/records.parquet"
    pd.read_parquet(records).assign(split="test").to_parquet(records, index=False)
    (folder / "tasks/o.yaml").write_text("kind: multilabel\nsources: [a]\nlabels: {SR: {ptbxl: {scp: [SR]}}}\n")
    for rare in ("error", "leave_out"):
        with (folder / "tasks/o.yaml").open("a") as file:
            file.write("rare: leave_out\n" if rare == "leave_out" else "")
        assert main(["describe-labels", "o", "--config", str(folder / "config.yaml")]) == 0
        out = capsys.readouterr().out
        assert "label.SR" in made_of(folder, "o")
        assert "stops `labels`" not in out
        assert "left out: label" not in out


def test_labels_of_which_too_few_would_remain_stop_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "tasks/f.yaml").write_text(
        "kind: multilabel\nsources: [a]\nrare: leave_out\nlabels: {PVC: {ptbxl: {scp: [PVC]}}}\n"
    )
    assert main(["describe-labels", "f", "--config", str(folder / "config.yaml")]) == 0
    assert "stops `labels`: label 'PVC' has no positive" in capsys.readouterr().out
    with pytest.raises(UserError, match="too few of its labels can be trained on"):
        made_of(folder, "f")


def test_what_to_make_first_and_a_task_that_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder.parent / "results/manifest/records.parquet").unlink()
    assert main(["describe-labels", "t", "--config", str(folder / "config.yaml")]) == 1
    assert "records.parquet: not there yet; make it first: snakemake manifest\n" in capsys.readouterr().err
    assert main(["describe-labels", "tt", "--config", str(folder / "config.yaml")]) == 1
    assert "tasks/tt.yaml: no such file" in capsys.readouterr().err


def test_an_index_from_before_an_edit_is_not_believed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = folder.parent / "results/config/source/a.yaml"
    written.parent.mkdir(parents=True)
    command = ["describe-labels", "t", "--config", str(folder / "config.yaml")]
    written.write_text("source: a\nconfig: {kind: ptbxl, root: elsewhere, checks: strict}\n")
    assert main(command) == 1
    said = "index/a.parquet: made before config.checks strict -> stated; make it anew: snakemake manifest\n"
    assert said in capsys.readouterr().err
    written.write_text("source: a\nconfig: {kind: ptbxl, root: elsewhere}\n")
    assert main(command) == 0


def test_a_mistake_is_named_where_it_stands(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("define: {tasks: {t: {kind: binary, labels: {x: {ptbxl: {column: {nurse: [1]}}}}}}}")
    assert main(["describe-labels", "t", "--config", str(folder / "config.yaml"), "--configfile", str(recipe)]) == 1
    where = "define.tasks.t: labels.x.ptbxl.column.nurse.0"
    said = f"{recipe}: {where}: Input should be a valid string, found 1; put it in quotes: '1'"
    assert said in capsys.readouterr().err
