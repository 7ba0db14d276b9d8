"""What survival is judged by, from validation: times, a baseline hazard, a unit of risk, limits of its groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ecglfm.models.baseline_hazard import breslow, hazard_at, quartiles, risk_limits


class Reference(NamedTuple):
    """What of one label is taken from the validation split.

    Attributes
    ----------
    times : ndarray, shape (k,)
        Times at which survival is judged; the middle one is the horizon of the calibration.
    hazard : float or ndarray, shape (n,)
        Breslow's cumulative baseline hazard at the horizon; of each record, where several models predicted them.
    scale : float or ndarray, shape (n,)
        Standard deviation of the risk; likewise.
    limits : ndarray, shape (GROUPS - 1,) or (n, GROUPS - 1)
        Quantiles of the risk that part the groups; likewise.
    slope : float or ndarray, shape (n,)
        What a risk is multiplied by before it is read as a log hazard, which came with the model; likewise.
    """

    times: np.ndarray
    hazard: float | np.ndarray
    scale: float | np.ndarray
    limits: np.ndarray
    slope: float | np.ndarray = 1.0

    @property
    def horizon(self) -> float:
        """Time of the calibration."""
        return float(self.times[len(self.times) // 2])

    def survival(self, risk: np.ndarray) -> np.ndarray:
        """Predicted probability of no event until the horizon."""
        return np.exp(-self.hazard * np.exp(self.slope * risk))

    def groups(self, risk: np.ndarray) -> np.ndarray:
        """Group of each risk, 0 the lowest."""
        return (risk[:, None] >= self.limits).sum(axis=1)

    def at(self, rows: np.ndarray) -> Reference:
        """That of some records."""
        if self.limits.ndim == 1:
            return self
        one_each = (np.broadcast_to(values, (len(rows), *np.shape(values)[1:]))[rows] for values in self[1:])
        return Reference(self.times, *one_each)


def make_reference(
    time: np.ndarray, event: np.ndarray, risk: np.ndarray, slope: float = 1.0, *, times: Sequence[float]
) -> Reference | None:
    """Take a label's reference from the validation split.

    Parameters
    ----------
    time, event, risk : ndarray, shape (n,)
        Of the validation records; NaN in the first two where not known.
    slope : float
        That of the model (`BaselineHazard.slope`).
    times : sequence of float
        Times at which survival is judged; empty: the quartiles of the event times.

    Returns
    -------
    Reference or None
        None where no event is known, or the risk does not vary.
    """
    known = ~np.isnan(time) & ~np.isnan(event)
    time, event, risk = time[known], event[known], risk[known]
    if not (event > 0).any() or np.std(risk) < 1e-12:
        return None
    chosen = np.unique(times) if len(times) else quartiles(time[event > 0])
    hazard = hazard_at(*breslow(time, event, slope * risk), chosen)[len(chosen) // 2]
    return Reference(chosen, float(hazard), float(np.std(risk)), risk_limits(risk), slope)


def make_references(
    valid: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray, float]],
    which: Sequence[np.ndarray],
    *,
    times: Sequence[float],
) -> Reference | None:
    """A label's reference, of each record that of the model that predicted it; times are the same for all.

    Parameters
    ----------
    valid : sequence of (ndarray, ndarray, ndarray, float)
        Time, event and risk of the validation records of each model, of shape (n_valid,), and its slope.
    which : sequence of ndarray of bool, shape (n,)
        Test records that each predicted.
    times : sequence of float
        As in `make_reference`; quartiles are those of all validation records.

    Returns
    -------
    Reference or None
        None where any model has none.
    """
    if len(valid) == 1:
        return make_reference(*valid[0], times=times)
    time, event = (np.concatenate([columns[place] for columns in valid]) for place in (0, 1))
    happened = time[event > 0]
    if not len(happened):
        return None
    chosen = times or quartiles(happened).tolist()
    found = [make_reference(*columns, times=chosen) for columns in valid]
    references = [reference for reference in found if reference is not None]
    if len(references) < len(valid):
        return None
    model_of = np.argmax(np.stack(which), axis=0)
    of_each = (np.stack(values)[model_of] for values in zip(*(reference[1:] for reference in references), strict=True))
    return Reference(references[0].times, *of_each)
