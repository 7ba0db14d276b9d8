"""`make demo`, and what a user does next: commands of the pages, edits that rerun only what they change."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import socket
import subprocess
import time
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from ecglfm import load_encoder, load_model, preprocess, read_record
from ecglfm.evaluation.metrics import set_metrics
from ecglfm.evaluation.metrics.bootstrap import paired_bootstrap
from ecglfm.evaluation.prediction import predictions_on_test
from ecglfm.models.conformal import fit_conformal, set_names
from ecglfm.provenance import read_json
from tests.integration.conftest import Clone, copy_clone, planned_in
from tests.integration.gap import way_in
from tests.pages import blocks, commands

pytestmark = pytest.mark.slow


def test_planted_conditions_are_learnt(demo) -> None:
    """By so small and short a training no better than this: the truth has 0.965 against readers who err (docs/demo.md)."""
    found = demo.metrics("tiny", "diagnosis", "full-s0")
    assert 0.80 <= found["macro"]["auroc"]["value"] <= 0.95
    assert min(found["labels"][name]["auroc"]["value"] for name in found["label_names"]) <= 0.97


def test_the_console_can_be_read(demo) -> None:
    """Each job's command and what it found; no config, and no more lines than a person reads."""
    lines = (demo.root.parent / "console.txt").read_text().splitlines()
    assert len(lines) <= 150
    assert not any("printf" in line or line.endswith(" None") for line in lines)
    assert sum(" finetune --config" in line for line in lines) == 3
    assert any(
        re.match(r"results/manifest: \d+ of 1050 dropped.*; see results/manifest/summary\.html$", line)
        for line in lines
    )
    assert ' at http://127.0.0.1:5000, there under "Model training" ' in lines[-1]


def test_nothing_outside_is_asked_for(demo) -> None:
    """All of the DAG ran, and MLflow with it, where the network is the loopback."""
    if not way_in():
        pytest.skip("no network namespace can be made here")
    assert (demo.results / "report/index.html").exists()
    assert (demo.results / "mlflow.db").exists()
    called = demo.root.parent / "called"
    assert not called.exists(), called.read_text()


def test_a_coin_toss_is_not_learnt(demo) -> None:
    assert abs(demo.metrics("tiny", "coin-toss", "full-s0")["macro"]["auroc"]["value"] - 0.5) <= 0.1


def test_prediction_sets_hold_the_truth_as_often_as_promised(demo) -> None:
    """Over 50 resplits of the patients of valid and test, one half choosing: 112 patients of one split cannot tell."""
    table = pd.read_parquet(demo.results / "evaluate/tiny/diagnosis/full-s0/predictions.parquet")
    names = demo.metrics("tiny", "diagnosis", "full-s0")["label_names"]
    target, said = (table[[f"{what}.{name}" for name in names]].to_numpy(float) for what in ("target", "probability"))
    who = table["patient_id"].to_numpy(str)
    patients = np.unique(who)
    held, exact, tested = 0.0, 0.0, 0
    for seed in range(50):
        chooses = np.isin(who, np.random.default_rng(seed).permutation(patients)[: len(patients) // 2])
        cuts = fit_conformal(target[chooses], said[chooses], who[chooses], 0.9)
        sets = dict(zip([f"set.{name}" for name in names], set_names([cuts], said[None]).T, strict=True))
        resplit = table.assign(split=np.where(chooses, "valid", "test"), **sets)
        found = set_metrics(resplit, names, 0.9, 0.95)["labels"]
        for label, name in enumerate(names):
            if "reason" in found[name]:
                continue
            for side, chose in (("present", cuts.positives[label]), ("absent", cuts.negatives[label])):
                one = found[name][side]
                held += (one["coverage"] or 0) * one["patients"]
                exact += np.ceil(0.9 * (chose + 1) - 1e-9) / (chose + 1) * one["patients"]
                tested += one["patients"]
    assert tested > 10_000
    assert held / tested == pytest.approx(0.9, abs=0.02)
    assert held / tested == pytest.approx(exact / tested, abs=0.01)  # the promise in whole patients


def test_a_linear_probe_on_pretrained_features_beats_random_ones(demo, tmp_path: Path) -> None:
    """On test patients, with its interval."""
    clone = copy_clone(demo, tmp_path / "clone")
    probe = {"modes": ["linear"], "epochs": 100, "patience": 10, "lr": 1.0e-2, "batch_size": 16}
    chosen = {"encoders": ["tiny", "random-tiny"], "tasks": ["diagnosis"], "tracking": {"enabled": False}}
    clone.edit("config/config.yaml", finetune=probe, evaluate={"bootstrap": 20}, card={"records": 0}, **chosen)
    own = yaml.safe_load((clone.root / "config/encoders/tiny.yaml").read_text())["finetune"]
    clone.edit("config/encoders/random-tiny.yaml", finetune=own)
    clone.snakemake("evaluate_all", "embed_all")
    found = []
    for encoder in ("tiny", "random-tiny"):
        metrics = clone.metrics(encoder, "diagnosis", "linear-s0")
        table = pd.read_parquet(clone.results / f"evaluate/{encoder}/diagnosis/linear-s0/predictions.parquet")
        names = metrics["label_names"]
        found.append(predictions_on_test(table, names))
    records = pd.read_parquet(demo.results / "manifest/records.parquet", columns=["record_id", "patient_id", "source"])
    for source, own in records.sort_values("record_id").groupby("source"):
        vectors = pd.read_parquet(clone.results / f"embed/tiny/{source}.parquet")  # what the probe learnt from
        assert vectors["record"].tolist() == own["record_id"].tolist()
        assert vectors["patient_id"].tolist() == own["patient_id"].tolist()
        assert np.isfinite(vectors.filter(like="vector.").to_numpy()).all()
    difference = paired_bootstrap(*found, resamples=1000, confidence=0.95, seed=0)
    assert difference["ci_low"] > 0, difference


def test_nothing_is_lost_and_the_audit_passes(demo) -> None:
    records = pd.read_parquet(demo.results / "manifest/records.parquet")
    ledger = pd.read_parquet(demo.results / "manifest/ledger.parquet")
    indexed = sum(len(pd.read_parquet(path)) for path in (demo.results / "index").glob("*.parquet"))
    assert indexed == 300 * 2 + 150 * 3  # as the two source files say
    assert indexed == len(records) + (ledger["action"] == "dropped").sum()
    assert records.groupby("patient_id")["split"].nunique().max() == 1
    assert read_json(demo.results / "manifest/audit.json")["passed"] is True


def test_a_second_run_has_nothing_to_do(demo) -> None:
    assert "Nothing to be done" in demo.snakemake()


def test_its_status_and_why_an_edit_reruns_are_told_and_nothing_is_written(demo) -> None:
    def written() -> list[Path]:
        kept = (demo.root / ".snakemake").rglob("*")  # but for what one plan tells the next of files' times
        return sorted(path for path in kept if path.is_file() and path.parent.name != "iocache")

    before = written()
    table = demo.ecglfm("status").stdout
    jobs = re.match(r"results: (\d+) of (\d+) jobs done; Snakemake does not run here\n\n", table)
    assert jobs is not None, table
    assert jobs[1] == jobs[2]
    assert re.findall(r"^(\w+) +(\w+)", table[jobs.end() :], re.M)[-1] == ("report", "done")
    assert set(re.findall(r"^\w+ +(\w+)", table[jobs.end() :], re.M)) == {"done"}
    lr = yaml.safe_load((demo.root / "config/config.yaml").read_text())["finetune"]["lr"]
    fit, edit = "results/finetune/tiny/diagnosis/full-s0", ["--config", "finetune={lr: 0.0123}"]
    assert demo.ecglfm("why", fit, *edit).stdout == (
        "finetune tiny/diagnosis/full-s0 would run again, because\n"
        f"  finetune.lr {lr} -> 0.0123\n    in results/config/finetune/tiny.yaml\n\n"
        "card tiny/diagnosis/full-s0 would run again, because\n"  # which lies in the same folder
        f"  finetune.lr {lr} -> 0.0123\n    in results/config/finetune/tiny.yaml; by way of finetune"
        " tiny/diagnosis/full-s0, evaluate tiny/diagnosis/full-s0\n"
    )
    assert "  finetune.lr" in demo.ecglfm("why", "report", *edit).stdout
    assert re.search(r"^finetune +stale +3 of 3: finetune\.lr", demo.ecglfm("status", *edit).stdout, re.M)
    assert written() == before


def test_targets_work_without_flags(demo) -> None:
    assert "Nothing to be done" in demo.snakemake("pretrain", "finetune_all", "evaluate_all", "report")


def test_describe_labels(demo) -> None:
    labels = pd.read_parquet(demo.results / "labels/diagnosis.parquet")
    said = demo.ecglfm("describe-labels", "diagnosis").stdout
    assert "matches nothing" not in said
    for label in ("AFIB", "LBBB", "MI", "PVC"):
        carries = labels[labels[f"label.{label}"] == 1]["split"].value_counts()
        counts = [carries["train"], carries["valid"], carries["test"], carries.sum(), len(labels)]
        assert re.search(rf"^{label} +{' +'.join(map(str, counts))} ", said, re.M)


def test_one_encoder_is_compared_with_none(demo) -> None:
    demo.snakemake("compare_all")
    content = json.loads((demo.results / "evaluate/comparison/af.json").read_text())
    assert (content["pairs"], [model["encoder"] for model in content["models"]]) == ([], ["tiny"])
    assert "Nothing to be done" in demo.snakemake()


def test_finetune_edit_plans_no_pretraining(demo) -> None:
    shown = demo.snakemake("-n", "--config", "finetune={lr: 3.0e-3}")
    assert planned_in(shown) == {"finetune_model": 3, "evaluate_model": 3, "card_model": 3, "report": 1}
    assert [line for line in shown.splitlines() if line.startswith("replaces")] == [
        "replaces results/finetune/tiny/af/full-s0, results/finetune/tiny/coin-toss/full-s0, results/finetune/tiny/"
        "diagnosis/full-s0 and 3 results made from them (finetune.lr 0.002 -> 0.003); to keep them, take the change back"
        " and add it as a variant: `finetune: {variants: {NAME: {lr: 0.003}}}`"
    ]


def test_a_variant_is_fitted_beside_the_plain_one(demo) -> None:
    shown = demo.snakemake("-n", "--config", "finetune={variants: {lr3: {lr: 3.0e-3}}}")
    models = {"finetune_model": 3, "evaluate_model": 3, "card_model": 3}
    assert planned_in(shown) == models | {"compare_task": 3, "compare_page": 1, "report": 1}
    assert "output: results/finetune/tiny/af/full-s0-lr3/model.safetensors" in shown
    assert "replaces" not in shown


def test_finetune_edit_of_an_encoder_plans_no_pretraining(demo) -> None:
    encoder = demo.root / "config/encoders/tiny.yaml"
    before = encoder.read_text()
    try:
        encoder.write_text(before.replace("finetune:\n", "finetune:\n  lr: 3.0e-3\n"))
        plan = {"finetune_model": 3, "evaluate_model": 3, "card_model": 3, "report": 1}
        assert demo.planned() == demo.planned("--config", "finetune={lr: 4.0e-3}") == plan
    finally:
        encoder.write_text(before)


def test_evaluate_edit_plans_no_training(demo) -> None:
    assert demo.planned("--config", "evaluate={bootstrap: 10}") == {"evaluate_model": 3, "card_model": 3, "report": 1}


def test_tracking_edit_plans_what_is_missing_and_nothing_else(demo) -> None:
    edited = ("--config", "tracking={uri: 'http://127.0.0.1:1'}")
    assert demo.planned(*edited) == {}
    encoder = demo.results / "pretrain/tiny/encoder.safetensors"
    away = encoder.rename(encoder.with_suffix(".away"))
    try:
        assert demo.planned("pretrain", *edited) == {"pretrain_encoder": 1, "pretrain": 1}
    finally:
        away.rename(encoder)


def test_new_task_plans_that_task_alone(demo, tmp_path: Path) -> None:
    task = demo.root / "config/tasks/lbbb.yaml"
    task.write_text("kind: binary\nlabels:\n  LBBB:\n    ptbxl: {scp: [CLBBB]}\n")
    config = demo.root / "config/config.yaml"
    before = config.read_text()
    try:
        config.write_text(before.replace("coin-toss]", "coin-toss, lbbb]"))
        pages = {"summary": 1, "card_model": 1, "report": 1}
        assert demo.planned() == {"label_task": 1, "finetune_model": 1, "evaluate_model": 1} | pages
    finally:
        config.write_text(before)
        task.unlink()


def test_another_database_in_the_same_folder_is_refused(demo) -> None:
    shown = demo.snakemake("-n", "--config", "sources=[demo-ptbxl]", "tasks=[coin-toss]", check=False)
    assert "results/ was filled from source 'demo-mimic'" in shown


def test_mlflow_has_a_run_per_job(demo) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{demo.results}/mlflow.db")
    runs = {e.name: client.search_runs([e.experiment_id]) for e in client.search_experiments() if e.name != "Default"}
    assert {name: len(found) for name, found in runs.items()} == {
        "index": 2,
        "ingest": 2,
        "preprocess": 2,
        "manifest": 1,
        "labels": 3,
        "pretrain": 1,
        "finetune": 3,
        "evaluate": 3,
        "report": 1,
    }
    assert {run.info.status for found in runs.values() for run in found} == {"FINISHED"}
    pretraining = runs["pretrain"][0]
    tags = pretraining.data.tags
    assert tags["stage"] == "pretrain"
    assert tags["encoder"] == "tiny"
    assert tags["snakemake_rule"] == "pretrain_encoder"
    assert len(tags["config_hash"]) == len(tags["data_hash"]) == 64
    history = pd.read_csv(demo.results / "pretrain/tiny/history.csv")
    steps = [m.step for m in client.get_metric_history(runs["pretrain"][0].info.run_id, "train/loss")]
    assert steps == history.loc[history["split"] == "train", "step"].tolist()
    fits = {run.info.run_id: run for run in runs["finetune"]}
    assert {fit.data.tags["mlflow.parentRunId"] for fit in fits.values()} == {pretraining.info.run_id}
    for evaluated in runs["evaluate"]:
        name = f"tiny/{evaluated.data.tags['task']}/full-s0 · lr 0.002"
        fit = fits[evaluated.data.tags["mlflow.parentRunId"]]
        assert fit.info.run_name == evaluated.info.run_name == name
        assert fit.data.params.items() <= evaluated.data.params.items()
        assert evaluated.data.params["finetune.lr"] == "0.002"
        assert len(fit.data.params) < 20
        about = json.loads((demo.results / "finetune" / name.split(" ")[0] / "model.json").read_text())
        assert fit.data.metrics["best/epoch"] == about["training"]["best_epoch"]
        assert fit.data.metrics["best/loss"] == about["training"]["valid_loss"]
        assert fit.data.tags["config_hash"] == evaluated.data.tags["config_hash"] == about["config_hash"]
        measured = json.loads((demo.results / "evaluate" / name.split(" ")[0] / "metrics.json").read_text())
        assert evaluated.data.metrics["test/auroc_macro"] == measured["macro"]["auroc"]["value"]


@pytest.mark.parametrize("command", ["python -m ecglfm tracking sync", "snakemake tracking_sync"])
def test_nothing_is_lacking_in_mlflow(demo, command: str) -> None:
    assert "results: 18 runs; MLflow lacked nothing" in demo.run(*command.split()).stdout


def test_the_doctor_finds_nothing_to_mend(demo) -> None:
    shown = demo.run("python", "-m", "ecglfm", "doctor", "--profile", "slurm").stdout
    assert "ok   MLflow: sqlite:///results/mlflow.db\n" in shown
    assert "fail" not in shown


def test_the_servers_default_is_the_demos_store(demo) -> None:
    shown = demo.run("make", "--just-print", "--print-data-base", "mlflow-server").stdout
    assert "MLFLOW_BACKEND_STORE_URI := sqlite:///results/mlflow.db" in shown
    assert "exec mlflow server --host 127.0.0.1 --port 5000 " in shown


def test_snakemake_report_has_captions(demo) -> None:
    demo.snakemake("--report", "results/report/snakemake.html")
    page = (demo.results / "report/snakemake.html").read_text()
    # Of targets that the demo does not make.
    others = {
        "comparison",
        "comparison_page",
        "confounders",
        "discover",
        "label_efficiency",
        "lead_sets",
        "leaderboard",
        "loci",
        "manhattan",
        "serial",
        "transport",
        "umap",
    }
    for caption in (demo.root / "workflow/report").glob("*.rst"):
        if caption.stem in {*others, "verification"}:
            continue
        assert caption.read_text().split("{{")[0].strip()[:30] in page


def test_mlflow_ui_serves_the_store_on_localhost(demo) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["mlflow", "ui", "--backend-store-uri", "sqlite:///results/mlflow.db", "--port", str(port)]
    fewer = demo.environment() | {"MLFLOW_WORKERS": "1", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # processes
    server = subprocess.Popen(command, cwd=demo.root, env=fewer, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(60):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                    assert answer.read() == b"OK"
                    break
            except OSError:
                time.sleep(1)
        else:
            pytest.fail("mlflow ui did not answer within a minute")
    finally:
        server.terminate()
        server.wait(30)


def _command(demo, page: str, *words: str) -> str:
    """The command of a page that has these words."""
    (found,) = (one for one in commands(demo.root / page) if all(word in one for word in words))
    return found


def test_readme_mimic_command_plans(demo) -> None:
    for name, source in (("mimic", "demo-mimic"), ("ptb-xl", "demo-ptbxl")):
        shutil.copytree(demo.results / "synthetic" / source, demo.root / "path/to" / name, dirs_exist_ok=True)
    command = _command(demo, "docs/own-ecgs.md", "mimic-iv-ecg.yaml")
    shown = demo.run("bash", "-c", f"{command} -n").stdout
    assert re.search(r"pretrain_encoder +1\n", shown)
    assert re.search(r"ingest_shard +68\n", shown)  # 64 of MIMIC-IV-ECG, 4 of PTB-XL


def test_one_gpu_is_for_one_job(demo) -> None:
    """As the page for workstations says it; of two fits that would run at once, one waits."""
    command = _command(demo, "docs/workstation.md", "--resources gpu=1")
    shown = demo.run("bash", "-c", f"{command} -n --forcerun finetune_model").stdout
    assert len(re.findall(r"^rule finetune_model:.*?resources: [^\n]*\bgpu=1", shown, re.M | re.S)) == 3


def test_the_python_of_the_pages_and_of_the_notebook_runs(demo) -> None:
    (block,) = blocks(demo.root / "docs/trained-encoder.md", "python")
    code = [block.text.replace("path/to/ptb-xl", "results/synthetic/demo-ptbxl")]
    code += ["print(len(vectors), tuple(frames.shape[::2]), len(answers), model.label_names)"]
    notebook = json.loads((demo.root / "docs/from-python.ipynb").read_text())
    code += ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] for cell in notebook["cells"] if cell["cell_type"] == "code")  # they would age
    code += [block.text.replace("own-data/", "") for block in blocks(demo.root / "docs/own-ecgs.md", "python")]
    (demo.root / "run.py").write_text("\n".join(code))
    shown = demo.run("python", "run.py").stdout.strip().splitlines()
    files = len(list((demo.results / "synthetic/demo-ptbxl/records500/00000").glob("*.hea")))
    assert f"{files} (2, 64) 1 ['AFIB', 'LBBB', 'MI', 'PVC']" in shown
    assert any(re.match(r"(dropped|flagged) +\w+ +\d+$", line) for line in shown), shown  # the ledger, by reason


def test_predict_says_what_evaluate_says(demo) -> None:
    """README's command, begun as a user does, and its answer; then the whole database, against what `evaluate` predicted."""
    command = _command(demo, "README.md", " predict ")
    (told,) = (block.text for block in blocks(demo.root / "README.md", "text") if "00025_hr" in block.text)
    shown = Clone(demo.root, warm=False).run("bash", "-c", command).stdout
    answer = re.compile(r"(\w+) (\d\.\d\d) (yes|no)")
    said, wanted = ({name: (float(p), so) for name, p, so in answer.findall(text)} for text in (shown, told))
    assert {name: so for name, (_, so) in said.items()} == {name: so for name, (_, so) in wanted.items()}
    assert all(p == pytest.approx(wanted[name][0], abs=0.1) for name, (p, _) in said.items())  # processors differ
    assert wanted["MI"][1] == "yes"
    root = demo.results / "synthetic/demo-ptbxl"
    (demo.root / "demo.yaml").write_text(f"kind: ptbxl\nroot: {root}\n")
    model = "results/finetune/tiny/diagnosis/full-s0"
    demo.run("ecglfm", "predict", "--model", model, "--source", "demo.yaml", "--output", "all.parquet")
    ours = pd.read_parquet(demo.root / "all.parquet").assign(
        record=lambda t: t["record"].str.replace("demo/", "demo-ptbxl/")
    )
    theirs = pd.read_parquet(demo.results / "evaluate/tiny/diagnosis/full-s0/predictions.parquet")
    both = theirs.merge(ours, left_on="record_id", right_on="record", suffixes=("", ".ours"))
    assert len(both) == theirs["record_id"].str.startswith("demo-ptbxl/").sum() > 20
    for label in ("AFIB", "LBBB", "MI", "PVC"):
        np.testing.assert_allclose(both[f"probability.{label}.ours"], both[f"probability.{label}"], atol=1e-5)


def test_predict_tells_the_change_since_the_last_one(demo) -> None:
    """The page's commands: one recording against an earlier one, and all of a patient against each other's."""
    for words in ("--previous results",), ("p10000004 --output",):
        command = _command(demo, "docs/serial.md", *words)
        shown = demo.run("bash", "-c", command).stdout
        assert re.search(r"AFIB \d\.\d\d (yes|no) \([+-]\d\.\d\d\), LBBB ", shown)
    table = pd.read_csv(demo.root / "changes.csv")
    index = pd.read_parquet(demo.results / "index/demo-mimic.parquet").set_index("record_id")
    times = pd.to_datetime(index["native.ecg_time"])
    names = [f"demo-mimic/{Path(path).name}" for path in table["record"]]
    gaps = [(times[b] - times[a]) / pd.Timedelta(days=1) for a, b in itertools.pairwise(names)]
    assert table["previous"].isna().tolist() == [True, False, False]
    np.testing.assert_allclose(table["previous_days"][1:], gaps, atol=1e-4)
    np.testing.assert_allclose(table["change.MI"][1:], table["probability.MI"].diff()[1:], atol=1e-9)


def test_plot_and_explain(demo) -> None:
    plot, explain = (_command(demo, "README.md", f"ecglfm {what} ") for what in ("plot", "explain"))
    shown = demo.run("bash", "-c", f"{plot} && {explain}").stdout
    assert re.search(r"\d+/min +PR \S+ +QRS \d+ ", shown)
    assert re.search(r"explained: log odds of MI, [+-]\d", shown)
    assert (demo.root / "ecg.pdf").read_bytes().startswith(b"%PDF")
    assert "By part of the beat" in (demo.root / "why.html").read_text()


def test_embed_says_what_the_encoder_says(demo) -> None:
    demo.run("bash", "-c", _command(demo, "README.md", " embed "))
    table = pd.read_parquet(demo.root / "vectors.parquet").set_index("record")
    encoder, record = load_encoder(demo.results / "pretrain/tiny"), table.index[7]
    with torch.inference_mode():
        expected = encoder.embed(preprocess(read_record(demo.root / record), encoder)).mean(0)
    np.testing.assert_allclose(table.filter(like="vector.").loc[record], expected, atol=2e-6)


def test_readme_export(demo) -> None:
    import onnxruntime

    made, checked = (_command(demo, "docs/trained-encoder.md", what) for what in ("--bundle", "verify-bundle"))
    assert "card.html" in demo.run("bash", "-c", made).stdout
    assert "model.zip: whole, 8 files: " in demo.run("bash", "-c", checked).stdout
    with zipfile.ZipFile(demo.root / "model.zip") as archive:
        archive.extract("model.onnx", demo.root)
    model = load_model(demo.results / "finetune/tiny/diagnosis/full-s0")
    session = onnxruntime.InferenceSession(demo.root / "model.onnx", providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map["label_names"] == '["AFIB", "LBBB", "MI", "PVC"]'
    for batch, seconds in ((1, 5), (8, 10)):
        signal = torch.randn(batch, 12, seconds * model.encoder.sampling_rate)
        logits, _ = session.run(None, {"signal": signal.numpy()})
        torch.testing.assert_close(torch.from_numpy(logits), model(signal).detach(), atol=1e-4, rtol=1e-4)


def test_the_picture_shows_every_rule(demo) -> None:
    graph = demo.snakemake("--rulegraph", "dot", "--", "all")
    rules = set(re.findall(r'label = "(\w+)"', graph)) - {"config_slice", "all"}
    assert set(re.findall(r">(\w+)</text>", (demo.root / "docs/dag.svg").read_text())) == rules
