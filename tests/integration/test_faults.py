"""What goes wrong on the way in: each fault is one clear line or one ledger row, and the rest goes through."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from ecglfm.provenance import read_json
from tests.integration.conftest import Clone, copy_clone

pytestmark = pytest.mark.slow


def _database(clone: Clone, with_manifest: Clone) -> Path:
    """A synthetic PTB-XL as a database of the user's own, of kind ptbxl."""
    root = clone.root / "mydata"
    shutil.copytree(with_manifest.results / "synthetic/demo-ptbxl", root)
    _own_database(clone, "mydata")
    return root


def _own_database(clone, root: str) -> None:
    (clone.root / "config/sources/demo-ptbxl.yaml").write_text(yaml.safe_dump({"kind": "ptbxl", "root": root}))


def _record(root: Path, ecg_id: int) -> Path:
    return root / f"records500/00000/{ecg_id:05d}_hr"


def _rewrite(record: Path, change) -> None:
    header = record.with_suffix(".hea")
    header.write_text(change(header.read_text()))


def _set_samples(record: Path, change) -> None:
    """Change the stored samples, and drop the header's checksums and initial values, which no longer agree."""
    data = np.fromfile(record.with_suffix(".dat"), dtype="<i2").reshape(-1, 12)
    change(data)
    data.tofile(record.with_suffix(".dat"))

    def plain(text: str) -> str:
        first, *rest = text.splitlines()
        fields = [line.split() for line in rest if line and not line.startswith("#")]
        sums = [int(column.astype(np.int64).sum()) & 0xFFFF for column in data.T]
        lines = [" ".join([*f[:5], str(data[0, i]), str(sums[i]), *f[7:]]) for i, f in enumerate(fields)]
        return "\n".join([first, *lines]) + "\n"

    _rewrite(record, plain)


def test_broken_recordings_become_ledger_rows(clone, with_manifest) -> None:
    root = _database(clone, with_manifest)
    dat = _record(root, 1).with_suffix(".dat")
    dat.write_bytes(dat.read_bytes()[:-1000])
    _record(root, 2).with_suffix(".dat").unlink()
    _rewrite(_record(root, 3), lambda text: text.replace("00003_hr.dat", "../../etc/passwd"))
    _set_samples(_record(root, 4), lambda data: data[100:120].fill(-32768))  # 40 ms missing: interpolated
    _set_samples(_record(root, 5), lambda data: data[:, 7].fill(0))  # V2 is flat
    _rewrite(_record(root, 6), lambda text: "\n".join(text.replace(" 12 500", " 11 500").splitlines()[:-1]) + "\n")
    six = np.fromfile(_record(root, 6).with_suffix(".dat"), dtype="<i2").reshape(-1, 12)
    np.ascontiguousarray(six[:, :11]).tofile(_record(root, 6).with_suffix(".dat"))
    _rewrite(_record(root, 7), lambda text: text.replace(" V3", " X3"))
    _record(root, 8).with_suffix(".dat").write_bytes(b"")
    _record(root, 9).with_suffix(".hea").write_text("")
    _set_samples(_record(root, 10), lambda data: data[500:2500].fill(-32768))  # 4 of 10 s missing: dropped

    clone.snakemake("manifest")
    ledger = pd.read_parquet(clone.results / "manifest/ledger.parquet")
    records = pd.read_parquet(clone.results / "manifest/records.parquet").set_index("record_id")
    rows = ledger[ledger["action"] == "dropped"].set_index("record_id")
    reasons = {int(record.split("/")[1]): reason for record, reason in rows["reason"].items()}
    assert reasons == {
        1: "signal_truncated",
        2: "signal_missing",
        3: "path_outside_root",
        6: "missing_leads",
        7: "missing_leads",
        8: "signal_empty",
        9: "header_empty",
        10: "missing_fraction",
    }
    assert len(records) == 120 - 8
    assert records.loc["demo-ptbxl/4", "missing_fraction"] == pytest.approx(20 / 5000)
    assert records.loc["demo-ptbxl/5", "flat_leads"] == 1
    flagged = ledger[ledger["action"] == "flagged"].set_index("record_id")["reason"]
    assert flagged["demo-ptbxl/5"] == "flat_leads"
    assert flagged["demo-ptbxl/7"] == "leads_ignored"  # X3, so that V3 is missing


def test_leak_between_splits_fails_the_build(clone, with_manifest) -> None:
    root = _database(clone, with_manifest)
    table = pd.read_csv(root / "ptbxl_database.csv")
    patients = table.groupby("patient_id")["ecg_id"].first()
    first, second = table.loc[table["ecg_id"] == patients.iloc[0]], table.loc[table["ecg_id"] == patients.iloc[1]]
    table.loc[first.index, "strat_fold"], table.loc[second.index, "strat_fold"] = 1, 10
    others = ~table.index.isin([*first.index, *second.index])
    table.loc[others, "strat_fold"] = 9
    table.to_csv(root / "ptbxl_database.csv", index=False)
    for ending in (".dat",):  # the second patient's recording is a copy of the first's
        one = _record(root, int(first["ecg_id"].iloc[0])).with_suffix(ending)
        two = _record(root, int(second["ecg_id"].iloc[0]))
        two.with_suffix(ending).write_bytes(one.read_bytes())
    _set_samples(two, lambda data: None)
    clone.edit("config/config.yaml", manifest={"folds": {"demo-ptbxl": {"train": [1], "valid": [9], "test": [10]}}})
    shown = clone.snakemake("manifest", check=False)
    a, b = (f"demo-ptbxl/{frame['ecg_id'].iloc[0]}" for frame in (first, second))
    assert a in shown
    assert b in shown
    assert not (clone.results / "manifest/records.parquet").exists()
    pairs = read_json(clone.results / "manifest/audit-failed.json")["duplicate_pairs"]
    assert [({pair["a"], pair["b"]}, pair["crosses"]) for pair in pairs] == [({a, b}, True)]


def _append(clone, name: str, text: bytes) -> None:
    path = clone.root / name
    path.write_bytes(path.read_bytes() + text)


@pytest.mark.parametrize(
    ("break_it", "line"),
    [
        (lambda c: c.edit("config/config.yaml", finetune={"learning_rate": 1}), "config/config.yaml: finetune.learning_rate: unknown key"),
        (lambda c: _append(c, "config/config.yaml", b"results: here\n"), "not valid YAML: key 'results' stands twice"),
        (lambda c: _append(c, "config/config.yaml", b"# caf\xe9\n"), ": not UTF-8; save the file in that encoding"),
        (lambda c: c.edit("config/config.yaml", encoders=["tinny"]), "config/encoders/tinny.yaml: no such file; config/encoders/ has: base, "),
        (lambda c: c.edit("config/tasks/af.yaml", labels={"AFIB": {"ptbxl": {"spc": ["AFIB"]}}}), "config/tasks/af.yaml: labels.AFIB.ptbxl.spc: unknown key; did you mean 'scp'?"),
    ],
)  # fmt: skip
def test_config_mistakes_are_one_line(clone, break_it, line: str) -> None:
    break_it(clone)
    done = clone.run("snakemake", "-n", check=False)
    assert done.returncode != 0
    assert line in done.stdout.splitlines()[-1]  # no `WorkflowError in file …` around it
    assert "Traceback" not in done.stdout


def test_no_command_names_every_shard_or_batch(clone) -> None:
    """Linux takes 128 KiB as one argument, which 900 paths fill: a command is told the folder and the number."""
    clone.edit("config/sources/demo-ptbxl.yaml", shards=11)
    targets = ("report", "discover", "umap", "confounders", "serial", "leaderboard", "lead_sets", "embed_all")
    features = "features: {kind: attribution, task: af, label: AFIB, count: 5}"
    shown = clone.snakemake(*targets, "-n", "--config", f"discover={{{features}, association: {{batch: 1}}}}")
    commands = [line for line in shown.splitlines() if line.startswith("Shell command: ")]
    assert sum("/demo-ptbxl --shards 11 --output" in line for line in commands) == 2  # of the encoder, of the model
    assert sum("/association --chromosomes 1 2 3 4 --batches 8 --" in line for line in commands) == 1  # 3 are measured
    for first, last in (("/demo-ptbxl/000.", "/demo-ptbxl/010."), ("1of8", "8of8")):
        assert not [line for line in commands if first in line and last in line]


def test_a_mistake_beside_config_yaml_is_named_where_it_stands(clone) -> None:
    (clone.root / "my.yaml").write_text("tasks: [af]\nencoders: [tiny]\ntasks: []\n")
    assert "my.yaml:3: not valid YAML: key 'tasks' stands twice" in clone.snakemake(
        "-n", "--configfile", "my.yaml", check=False
    )
    shown = clone.snakemake("-n", "--config", "roots=path", "finetune={epochs: many}", check=False)
    assert "\n--config: roots: Input should be a valid dictionary, found 'path'" in shown
    assert "\n--config: finetune.epochs: Input should be a valid integer" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--configfile", "config/recipes/own-data.yaml", "pretrain"], "No such file or directory: 'pretrain'"),
        (["--config", "roots={ptbxl:", "path}"], "Unparsable value: 'path}'"),
        (["--config", "finetune.lr=1e-4"], "Config entry must start with a valid identifier."),
        (["--configfile", "latin.yaml"], "'utf-8' codec can't decode byte"),
    ],
)
def test_snakemakes_own_answers_to_slips_are_those_of_the_page(repository: Path, tmp_path: Path, arguments, said):
    """No file of ours is read before these, so what Snakemake prints is explained in the questions."""
    assert f"\n| `{said}` | " in (repository / "docs/faq.md").read_text()
    (tmp_path / "latin.yaml").write_bytes(b"results: here  # caf\xe9\n")
    for name in ("config", "workflow"):
        (tmp_path / name).symlink_to(repository / name)
    done = Clone(tmp_path).run("snakemake", "-n", *arguments, check=False)
    assert done.returncode != 0
    assert said in done.stdout.strip().splitlines()[-1]


def test_after_kill_9_unlock_and_the_same_command_goes_on(clone) -> None:
    started = subprocess.Popen(
        ["snakemake", "index"], cwd=clone.root, env=Clone(clone.root, warm=False).environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while not (clone.results / "config/identity.json").exists():  # it has begun
        assert started.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    assert "LockException" in clone.snakemake("index", check=False)
    clone.snakemake("--unlock")
    clone.snakemake("index")
    assert (clone.results / "index/demo-ptbxl.parquet").exists()


def test_the_slurm_profile_without_slurm_is_one_line(clone) -> None:
    if shutil.which("sbatch"):
        pytest.skip("Slurm is here")
    shown = clone.snakemake("--profile", "slurm", "index", check=False)
    assert "\n--profile slurm: this machine has no `sbatch`: run it on a cluster, or without the profile\n" in shown
    assert not (clone.results / "config/identity.json").exists()


@pytest.mark.parametrize("there", [False, True])
def test_a_clone_that_cannot_be_written_is_one_line(repository: Path, tmp_path: Path, there: bool) -> None:
    """Root may write anywhere, so what is asked for the right is told that there is none."""
    for name in ("config", "workflow"):
        (tmp_path / name).symlink_to(repository / name)
    if there:  # somebody else has run it
        (tmp_path / ".snakemake").mkdir()
    refused = (
        "import os, sys; may = os.access; from snakemake.cli import main;"
        "os.access = lambda path, mode, **o: str(path) not in {'.', '.snakemake'} and may(path, mode, **o); main(['-n'])"
    )
    done = Clone(tmp_path).run(sys.executable, "-c", refused, check=False)
    assert done.returncode != 0
    assert done.stdout.splitlines()[-1] == (
        f"{tmp_path / '.snakemake' if there else tmp_path} cannot be written, and Snakemake keeps its records there: run it"
        " in a clone of your own"
    )


def test_results_may_have_any_name_and_nothing_in_it_runs(clone) -> None:
    """A folder whose name a shell would read as commands; one job of every form of path runs in it."""
    results = "my results; $(touch x) 'a\" & b/\u00e9"
    clone.edit("config/config.yaml", results=results)
    assert clone.planned("report")["pretrain_encoder"] == 1
    shown = clone.snakemake("manifest")
    assert (clone.root / results / "manifest/records.parquet").exists(), shown
    assert not list(clone.root.rglob("x"))


def test_missing_column_names_file_and_column(clone, with_manifest) -> None:
    root = _database(clone, with_manifest)
    table = pd.read_csv(root / "ptbxl_database.csv").drop(columns="strat_fold")
    table.to_csv(root / "ptbxl_database.csv", index=False)
    shown = clone.snakemake("index", check=False)
    assert "mydata/ptbxl_database.csv: column 'strat_fold' is missing" in shown
    assert "Traceback" not in shown


def test_label_without_records_stops_its_task_alone(with_manifest, tmp_path: Path) -> None:
    clone = copy_clone(with_manifest, tmp_path / "clone")
    text = yaml.safe_dump(
        {"kind": "binary", "sources": ["demo-ptbxl"], "labels": {"WPW": {"ptbxl": {"scp": ["WPWW"]}}}}
    )
    (clone.root / "config/tasks/wpw.yaml").write_text(text)
    clone.edit("config/config.yaml", tasks=["af", "wpw"])
    shown = clone.snakemake("labels", "--keep-going", check=False)
    assert "error: label 'WPW' of task 'wpw' matches none of 120 records: " in shown
    assert "Traceback" not in shown
    assert (clone.results / "labels/af.parquet").exists()
    assert not (clone.results / "labels/wpw.parquet").exists()


def test_missing_database_is_named(clone) -> None:
    _own_database(clone, "nowhere")
    done = clone.run("snakemake", "index", check=False)
    assert done.returncode != 0
    assert done.stdout.splitlines()[-1] == (
        "nowhere: no such folder, where source 'demo-ptbxl' should lie: fetch it with `snakemake download`, or say where it"
        " is: --config 'roots={demo-ptbxl: FOLDER}'"
    )


def test_an_edit_is_seen_where_results_were_moved_and_where_another_clone_went_on_with_them(clone) -> None:
    """Snakemake compares with its records, which are by path and by the folder where it runs, and not with the files."""
    clone.snakemake("results/config/preprocess.yaml")
    clone.results.rename(clone.root / "moved")
    path = clone.root / "moved/config/preprocess.yaml"
    command = ("moved/config/preprocess.yaml", "--config", "results=moved", "preprocess={sampling_rate: 250}")
    assert "sampling_rate 500 -> 250" in clone.ecglfm("why", *command).stdout
    clone.snakemake(*command)
    assert yaml.safe_load(path.read_text())["sampling_rate"] == 250
    path.write_text(path.read_text().replace("250", "100"))  # the other clone's
    clone.snakemake(*command)
    assert yaml.safe_load(path.read_text())["sampling_rate"] == 250
    assert "Nothing to be done" in clone.snakemake("-n", *command)


def test_a_missing_label_file_is_named_though_labels_of_another_one_are_there(with_manifest, tmp_path: Path) -> None:
    """Snakemake takes what a job has made for up to date while a file that the job reads is missing."""
    clone = copy_clone(with_manifest, tmp_path / "clone")
    labels = clone.results / "labels/af.parquet"
    clone.snakemake("results/labels/af.parquet")
    made = labels.stat()
    selector = {"file": {"path": "labels/gone.csv", "by": "patient_id"}, "column": {"af": ["1"]}}
    task = {"kind": "binary", "sources": ["demo-ptbxl"], "labels": {"AF": {"ptbxl": selector}}}
    (clone.root / "config/tasks/af.yaml").write_text(yaml.safe_dump(task))
    for dry in ([], ["-n"]):
        shown = clone.snakemake("results/labels/af.parquet", *dry, check=False)
        assert "labels/gone.csv: no such file; the config names it for labels/af: correct its path" in shown
        assert "Traceback" not in shown
    assert labels.stat() == made
