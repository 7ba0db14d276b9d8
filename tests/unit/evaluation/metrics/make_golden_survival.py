"""Makes golden_survival.json: `pip install scikit-survival==0.28.0 && python make_golden_survival.py`.

scikit-survival is no dependency of the tests because it brings numexpr, which pandas then uses by itself.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.linear_model.coxph import CoxPHOptimizer
from sksurv.metrics import brier_score, concordance_index_censored, concordance_index_ipcw, cumulative_dynamic_auc
from sksurv.nonparametric import kaplan_meier_estimator


def case(seed: int) -> dict[str, object]:
    """150 patients; times and risks are rounded, so that there are ties of every sort."""
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=150).round(1)
    died = np.ceil(10 * rng.exponential(np.exp(-risk))) / 10
    left = np.ceil(10 * rng.uniform(0.1, 3, 150)) / 10
    time, event = np.minimum(died, left), died <= left
    truth = np.array(list(zip(event, time, strict=True)), dtype=[("event", bool), ("time", float)])
    times = np.quantile(time[event], [0.25, 0.5, 0.75])
    cox = CoxPHSurvivalAnalysis(ties="breslow").fit(risk[:, None], truth)
    partial = CoxPHOptimizer(risk[:, None], event, time, np.zeros(1), "breslow").nlog_likelihood(np.ones(1))
    survival = np.exp(-0.4 * np.exp(risk))
    at, value, (low, high) = kaplan_meier_estimator(event, time, conf_type="log-log")
    row = np.searchsorted(at, times[1], side="right") - 1
    return {
        "time": time.tolist(), "event": event.astype(int).tolist(), "risk": risk.tolist(), "times": times.tolist(),
        "c_index": concordance_index_censored(event, time, risk)[0],
        "c_index_uno": concordance_index_ipcw(truth, truth, risk, tau=times[-1])[0],
        "td_auc": cumulative_dynamic_auc(truth, truth, risk, times)[0].tolist(),
        "hazard_ratio": float(np.exp(cox.coef_[0])),
        "log_likelihood": -150 * float(partial),
        "baseline": cox.cum_baseline_hazard_(times).tolist(),
        "brier": float(brier_score(truth, truth, survival[:, None], times[1:2])[1][0]),
        "kaplan_meier": [float(value[row]), float(low[row]), float(high[row])],
    }  # fmt: skip


if __name__ == "__main__":
    path = Path(__file__).with_name("golden_survival.json")
    path.write_text(json.dumps([case(seed) for seed in range(3)]) + "\n")
