"""The page and the section of confounders: every number in its place, what is missing with its reason."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ecglfm.evaluation.confounders import gather_confounders
from ecglfm.evaluation.report import run_analysis_page
from tests.unit.evaluation.confounders.written import entry, write
from tests.unit.evaluation.report.pages_read import words


def page(results: Path) -> str:
    gather_confounders(results / "confounders", ["tiny"], ["tiny/super/full-s0"])
    run_analysis_page("confounders", results, results / "confounders/index.html")
    return (results / "confounders/index.html").read_text()


def test_numbers_and_reasons_stand_on_the_page(tmp_path: Path) -> None:
    write(tmp_path)
    text = page(tmp_path)
    seen = words(text)
    assert (
        "From site tiny vectors of 200 records 0.800 0.750 – 0.850 2 classes, 0.70 by 0.50 tiny scores of super" in seen
    )
    assert "device : no record of p says it." in seen
    assert "may have learnt who recorded, not what. The variables: rate, site ." in seen
    assert "rate : always the same: 500 Hz." in seen  # once, as it is so for all
    assert "left out C <x> (3 patients)" in seen
    head = "Label AUROC within site all together Variables alone"
    site = "0.600 0.550 – 0.650 -0.300 -0.350 – -0.250 2 strata, 50.0 %"
    together = "0.620 0.570 – 0.670 -0.020 -0.070 – +0.030 2 strata, 50.0 %"
    assert f"{head} AF 0.900 0.850 – 0.950 {site} {together} 0.880 0.830 – 0.930 +0.020 -0.030 – +0.070" in seen
    assert text.count('class="bad"') == 1
    assert "Left out in print: intervals of the differences" in seen
    assert text.count("unprinted") == 2 * 2 + 1 + 1  # two strata, the variables alone, the style


def test_a_task_without_classes_says_why_it_has_no_strata(tmp_path: Path) -> None:
    write(tmp_path, labels={}, reason="a task of kind regression has no positives and negatives to compare")
    assert "A task of kind regression has no positives and negatives to compare." in words(page(tmp_path))


def test_survival_has_its_c_and_that_of_the_variables_alone(tmp_path: Path) -> None:
    alone = {"chosen": ["Cox regression, ridge 1"], "c_index": entry(0.7), "difference": entry(0.1)}
    death = {"c_index": entry(0.8), "within": {}, "alone": alone}
    write(tmp_path, kind="survival", metric="c_index", labels={"death": death})
    said = "Label C-index Variables alone death 0.800 0.750 – 0.850 0.700 0.650 – 0.750 +0.100 +0.050 – +0.150"
    assert said in words(page(tmp_path))
    table = pd.read_csv(tmp_path / "confounders/confounders.csv").set_index("question")
    assert table.loc["variables alone", ["label", "metric", "value"]].tolist() == ["death", "c_index", 0.7]
