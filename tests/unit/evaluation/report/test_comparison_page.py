"""The page that compares encoders: what was tested, and baselines beside it."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path

import pytest

from ecglfm.evaluation.comparison.comparison import run_compare
from ecglfm.evaluation.report import model_sections
from ecglfm.evaluation.report.comparison_page import run_comparison_page
from ecglfm.evaluation.report.model_sections import FittedModel
from ecglfm.evaluation.report.pages import environment
from ecglfm.evaluation.report.report import run_report
from ecglfm.provenance import read_json, write_json
from tests.unit.evaluation.comparison.planted import CONFIG, compare, write_trainings

#: Two encoders with the same predictions, on a page.
COMPARED = (
    "super random tiny full 1 seed each: chance of a training not tested AUROC no label has a value and patients"
    " enough no evidence in 0 of 0; 2 too few"
)


def test_the_report_shows_baselines_and_the_comparison(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_sections, "png", lambda figure, dpi=150: b"png")
    page = results / "report.html"
    run_report(results, page)
    assert "a random encoder was not run: none of the config has" in page.read_text()
    shutil.copytree(results / "evaluate/tiny", results / "evaluate/random")
    info = read_json(results / "pretrain/tiny/encoder.json") | {"name": "random", "weights": "random"}
    write_json(results / "pretrain/random/encoder.json", info)
    path = results / "evaluate/random/super/full-s0/metrics.json"
    write_json(path, read_json(path) | {"encoder": "random", "kind": "multilabel"})
    run_compare(
        CONFIG, evaluations=results / "evaluate", task="super",
        models=["random/full-s0", "tiny/full-s0"], output=results / "evaluate/comparison/super.json",
    )  # fmt: skip
    run_report(results, page)
    seen = _words(page)
    assert "a random encoder was not run" not in seen
    assert "random random weights full-s0 12 2 patients" in seen
    assert COMPARED in seen
    assert "AUROC AUROC of random AUPRC" in seen  # label by label
    assert seen.count("Constant answer, macro 0.500 by definition") == 2
    fits = [FittedModel(*path.split("/")) for path in ("random/super/full-s0", "tiny/super/full-s0", "tiny/af/full-s0")]
    run_comparison_page(results, fits, page, baselines=["random"])
    seen = _words(page)
    assert "2 encoders, 2 label sets, 2 models on the locked test split" in seen
    assert "super random random weights full-s0 12 2 patients" in seen
    assert COMPARED in seen
    assert "tiny/af/full-s0 has not been evaluated." in seen
    assert "a random encoder was not run" not in seen

    shutil.rmtree(results / "evaluate/random")
    run_report(results, page)
    assert "Encoders compared" not in _words(page)  # with an encoder that is not shown
    run_report(results, page, include=[])
    assert "Nothing has been evaluated yet" in _words(page)


def test_what_was_seen_is_marked_with_its_reason(results: Path, quick: None) -> None:
    shutil.copytree(results / "evaluate/tiny", results / "evaluate/theirs")
    info = read_json(results / "pretrain/tiny/encoder.json") | {"training": {"steps": 200, "sources": ["alpha"]}}
    write_json(results / "pretrain/tiny/encoder.json", info)
    info = {"name": "theirs", "weights": "import"}
    foreign = {"licence": "CC BY-NC 4.0", "pretrained_on": ["ptbxl"]}
    write_json(results / "pretrain/theirs/encoder.json", info | {"imported": foreign})
    path = results / "manifest/audit.json"
    write_json(path, read_json(path) | {"databases": {"alpha": ["ptbxl"]}})
    for encoder in ("theirs", "tiny"):
        path = results / f"evaluate/{encoder}/super/full-s0/metrics.json"
        write_json(path, read_json(path) | {"encoder": encoder, "kind": "multilabel"})
    run_compare(
        CONFIG, evaluations=results / "evaluate", task="super", models=["theirs/full-s0", "tiny/full-s0"],
        output=results / "evaluate/comparison/super.json",
    )  # fmt: skip
    page = results / "page.html"
    note = "theirs on alpha: seen in pretraining: yes , pretrained on PTB-XL: both have recordings of PTB-XL."
    fits = [FittedModel("theirs", "super", "full-s0"), FittedModel("tiny", "super", "full-s0")]
    run_comparison_page(results, fits, page)
    for seen in (_words(page), _reported(results, page)):
        assert seen.count(note) == 1
        assert "tiny on alpha: seen" not in seen  # pretrained on the other splits of this manifest
        (table,) = re.findall(r"Seen in pretraining super theirs (.*?) tiny full-s0 (.*?) theirs on alpha", seen)
        assert [cells.split()[-1] for cells in (table[0], table[1].split(" constant answer ")[0])] == ["yes", "no"]
    run_comparison_page(results, fits, page)
    assert "theirs CC BY-NC 4.0 PTB-XL tiny – " in _words(page)


def _reported(results: Path, page: Path) -> str:
    run_report(results, page)
    return _words(page)


def test_the_page_says_what_was_tested(tmp_path: Path) -> None:
    write_trainings(tmp_path, {"a": [0.5, 0.52, 0.48], "b": [0.0, 0.03, -0.02]})
    page = tmp_path / "page.html"
    for models, tested, word in (
        (["a/full-s0", "b/full-s0"], "1 seed each: chance of a training not tested AUROC", "better as trained"),
        ([f"{encoder}/full-s{seed}" for encoder in "ab" for seed in range(3)], "3 and 3 seeds AUROC", "better"),
    ):
        content = compare(tmp_path, *models)
        part = {"task": "t", "comparison": content, "missing": []}
        page.write_text(environment().get_template("compared.html.j2").render(evaluations=[part]))
        macro, labels = content["pairs"][0]["macro"], content["pairs"][0]["labels"]
        numbers = f"{macro['first']:.3f} {macro['second']:.3f} {macro['value']:.3f} {macro['ci_low']:.3f} – {macro['ci_high']:.3f}"
        said = " ".join(f"{name} {entry['value']:+.3f} {word}" for name, entry in labels.items())
        p = f"{macro['p_holm']:.2g}"
        assert f"t a b full {tested} {numbers} {p} {word} {said} no evidence in 0 of 3" in _words(page)
        assert "at most 5 % of label sets have a verdict somewhere" in _words(page)


def _words(page: Path) -> str:
    """What a page says."""
    return " ".join(
        html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page.read_text(), flags=re.DOTALL)).split()
    )
