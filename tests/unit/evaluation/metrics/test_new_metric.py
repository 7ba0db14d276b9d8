"""A metric that the project does not know is one declaration: from there to intervals, groups, MLflow's names and tables."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import matthews_corrcoef

from ecglfm.config import EvaluateConfig
from ecglfm.evaluation import metrics
from ecglfm.evaluation.evaluate import measure
from ecglfm.evaluation.metrics import Metric, Predictions, classification, point_values, subgroups
from ecglfm.evaluation.metrics.intervals import FISHER
from ecglfm.evaluation.metrics.label import Cases
from ecglfm.evaluation.report.pages import environment


def correlation(cases: Cases) -> np.ndarray:
    """Matthews 1975 (doi:10.1016/0005-2795(75)90109-9)."""
    tp, fp, fn, tn = cases.decided
    with np.errstate(invalid="ignore"):
        return (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))


MCC = Metric(
    name="of_a_stranger",
    title="Matthews",
    of=correlation,
    range=(-1.0, 1.0),
    needs=("positive", "negative", "called", "not called"),
    support=("known",),
    scale=FISHER,
    chance=0.0,
    by_group=True,
    macro=False,
)


@pytest.fixture(autouse=True)
def _declared() -> Iterator[None]:
    """As its place in `LABEL_METRICS` would do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classification, "LABEL_METRICS", (*metrics.LABEL_METRICS, MCC))
        patch.setattr(Predictions, "declared", (*Predictions.declared, MCC))
        yield


def predicted() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"split": "test", "patient_id": [f"p{number}" for number in range(120)]})
    for label, share in (("x", 0.4), ("y", 0.0)):
        target = (rng.random(120) < share) * 1.0
        table[f"target.{label}"] = target
        table[f"probability.{label}"] = 1 / (1 + np.exp(-(2 * target - 1 + rng.normal(size=120))))
        table[f"threshold.{label}"] = 0.5
    return table


def test_one_declaration_is_all() -> None:
    table, config = predicted(), EvaluateConfig(bootstrap=40)
    data, _ = metrics.read_outcome(table, "multilabel", ["x", "y"], config)
    found = measure(data, config)
    entry = found["labels"]["x"]["of_a_stranger"]
    truth, called = table["target.x"], table["probability.x"] >= 0.5
    assert entry["value"] == pytest.approx(matthews_corrcoef(truth, called), abs=1e-12)
    # Fisher's scale of 120 patients: about as far as 1 / sqrt(n - 3) on either side
    ends = np.arctanh([entry["ci_low"], entry["value"], entry["ci_high"]])
    assert ends[1] - ends[0] == pytest.approx(ends[2] - ends[1])
    assert ends[2] - ends[1] == pytest.approx(1.96 / np.sqrt(117), rel=0.35)
    assert found["labels"]["y"]["of_a_stranger"]["reason"] == "no positive test record"
    assert "of_a_stranger" not in found["macro"]
    assert "of_a_stranger" in found["micro"]
    halves = {"half": pd.Series(np.where(np.arange(120) < 60, "a", "b"))}
    groups = subgroups(table, halves, kind="multilabel", names=["x", "y"], config=config)
    part = matthews_corrcoef(truth[:60], called[:60])
    assert groups["half"]["a"]["labels"]["x"]["of_a_stranger"]["value"] == pytest.approx(part, abs=1e-12)
    names = sorted(found["labels"]["x"], key=lambda name: metrics.place_of(name, "multilabel"))
    macros = environment().get_template("macros.html.j2").module
    page = html.unescape(macros.metrics_table({"metrics": found, "names": names}, []))
    heads = re.findall(r"<th[^>]*>(.*?)</th>", page)
    assert heads[-1] == "Matthews"
    rows = [re.findall(r"<td.*?</td>", row) for row in page.split("<tr")[2:]]
    assert {len(row) for row in rows} == {len(heads)}  # the macro row has an empty place
    assert f">{entry['value']:.3f}<" in rows[0][-1]
    assert len(point_values(data)[0]) == len(data.metrics) == len(metrics.LABEL_METRICS) + 1
