"""The second table of `benchmark intervals`: quantities, hazard ratios and verifications of few patients."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from ecglfm.evaluation.metrics import Outcome
    from ecglfm.evaluation.verification import Scores

_CORRELATION = 0.5
_LOG_HAZARD_RATIO = 0.8
#: Spread of people's vectors, in that of recordings of one person; an EER of 0.20 in so many dimensions.
_PEOPLE, _DIMENSIONS = 0.7, 24
_IMPOSTORS = 4000  # pairs that are scored of each simulated test


class KindCase(NamedTuple):
    """One line of the table: kind of task, test patients, recordings of each, and patients with the event."""

    kind: str
    patients: int
    records: int = 1
    events: int = 0


CASES = (
    *(KindCase("quantity", patients, records) for records in (1, 3) for patients in (5, 10, 20, 50)),
    *(KindCase("survival", patients, events=events) for patients in (50, 300) for events in (5, 10, 20)),
    *(KindCase("verification", patients, 2) for patients in (5, 10, 20, 50)),
)


def coverage(case: KindCase, *, simulations: int, resamples: int, seed: int) -> dict[str, float]:
    """Share of simulated tests whose 95 % interval holds the truth, by metric, and `{metric} percentiles` beside it.

    The floor of `evaluate.min_patients` is not applied.
    """
    import numpy as np

    truth, held = _truth(case), dict[str, list[bool]]()
    for number in range(simulations):
        settings = {"resamples": resamples, "seed": number}
        entries, resampled = _measured(case, np.random.default_rng([seed, number]), settings)
        for metric, value in truth.items():
            low, high = (entries[metric][end] for end in ("ci_low", "ci_high"))
            plain = np.nanquantile(resampled[metric], [0.025, 0.975])
            if low is not None:
                held.setdefault(metric, []).append(low <= value <= high)
                held.setdefault(f"{metric} percentiles", []).append(bool(plain[0] <= value <= plain[1]))
    return {name: float(np.mean(values)) for name, values in held.items()}


def _measured(
    case: KindCase, rng: np.random.Generator, settings: dict[str, int]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Entries of one simulated test, and the values in resamples, by metric."""
    from ecglfm.evaluation.metrics import resampled_values, summarize
    from ecglfm.evaluation.verification import MEASURES, measure, resampled_rates

    if case.kind == "verification":
        strata = {"source": _scores(case.patients, case.records, rng)}
        entries = measure(strata, **settings, confidence=0.95, min_patients=1)["overall"]
        return entries, dict(zip(MEASURES, resampled_rates(strata, **settings)[0], strict=True))
    data = _quantities(case, rng) if case.kind == "quantity" else _times(case, rng)
    entries = summarize(data, **settings, confidence=0.95, min_patients=1)["labels"]["x"]
    return entries, dict(zip(data.metrics, resampled_values(data, **settings)[0], strict=True))


@cache
def _truth(case: KindCase) -> dict[str, float]:
    """True metrics: in closed form; those without one, and of verifications, are of many patients."""
    import numpy as np

    from ecglfm.evaluation.metrics import QUANTITY_METRICS, point_values
    from ecglfm.evaluation.verification import error_rates

    if case.kind == "quantity":
        error = (1 - _CORRELATION**2) ** 0.5
        exact = {"mae": error * (2 / np.pi) ** 0.5, "rmse": error, "r2": _CORRELATION**2, "pearson": _CORRELATION}
        metrics = [metric.name for metric in QUANTITY_METRICS]
        if set(metrics) == set(exact):
            return exact
        endless = _quantities(case._replace(patients=1_000_000, records=1), np.random.default_rng(7))
        return dict(zip(metrics, point_values(endless)[0].tolist(), strict=True)) | exact
    if case.kind == "survival":
        return {"hazard_ratio": float(np.exp(_LOG_HAZARD_RATIO))}
    many, rng = 1500, np.random.default_rng(7)
    found = [error_rates(_scores(many, case.records, rng, 100_000), np.ones((many, 1)))[:2, 0] for _ in range(4)]
    return dict(zip(("auroc", "eer"), np.mean(found, axis=0).tolist(), strict=True))


def _quantities(case: KindCase, rng: np.random.Generator) -> Outcome:
    """Truth and prediction are normal, each alike by half among recordings of one patient."""
    import numpy as np

    from ecglfm.evaluation.metrics import RegressionPredictions

    rows = np.repeat(np.arange(case.patients), case.records)
    alike = 0.5 if case.records > 1 else 0.0
    own, each = rng.normal(size=(2, case.patients)), rng.normal(size=(2, len(rows)))
    truth, noise = alike**0.5 * own[:, rows] + (1 - alike) ** 0.5 * each
    told = _CORRELATION**2 * truth + _CORRELATION * (1 - _CORRELATION**2) ** 0.5 * noise
    return RegressionPredictions(["x"], truth[:, None], told[:, None], rows.astype(str))


def _times(case: KindCase, rng: np.random.Generator) -> Outcome:
    """Exponential times with a normal risk, observed until so many patients had the event."""
    import numpy as np

    from ecglfm.evaluation.metrics import Reference, SurvivalPredictions

    risk = rng.normal(size=case.patients)
    time = rng.exponential(np.exp(-_LOG_HAZARD_RATIO * risk))
    end = float(np.quantile(time, case.events / case.patients))
    reference = Reference(np.array([end / 2]), end / 2, 1.0, np.array([-0.67, 0.0, 0.67]))
    columns = (np.minimum(time, end)[:, None], (time < end)[:, None] * 1.0, risk[:, None])
    return SurvivalPredictions(["x"], *columns, np.arange(case.patients).astype(str), [reference])


def _scores(patients: int, records: int, rng: np.random.Generator, impostors: int = _IMPOSTORS) -> Scores:
    """Cosines of normal vectors, of which a part is the patient's."""
    import numpy as np

    from ecglfm.evaluation.verification import Scores

    people = rng.normal(size=(patients, 1, _DIMENSIONS))
    vectors = (_PEOPLE * people + rng.normal(size=(patients, records, _DIMENSIONS))).reshape(-1, _DIMENSIONS)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = np.triu_indices(len(vectors), 1)
    patient = np.repeat(np.arange(patients), records)
    same = patient[first] == patient[second]
    kept = rng.permutation(np.flatnonzero(~same))[:impostors]
    pairs = np.concatenate([np.flatnonzero(same), kept])
    score = (vectors[first[pairs]] * vectors[second[pairs]]).sum(axis=1)
    genuine = int(same.sum())
    return Scores(
        score[:genuine],
        score[genuine:],
        patient[first[same]],
        np.stack([patient[first[kept]], patient[second[kept]]]),
        patients,
    )
