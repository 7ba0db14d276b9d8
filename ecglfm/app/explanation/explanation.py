"""Why a model says what it says of a recording: which leads, which parts of the beat, and how surely that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter1d

from ecglfm.app.prediction import Prepared, prepare_record
from ecglfm.config import UserError
from ecglfm.data.signals import shown_mv
from ecglfm.evaluation.attribution import Attribution, Score, attribute
from ecglfm.evaluation.beats import PHASES, phases_of
from ecglfm.evaluation.plots import plot_ecg
from ecglfm.models.heads import ECGModel
from ecglfm.records import Record

_SMOOTH = 0.02  # s, of what is drawn; tables and JSON have the samples' own values
_FULL = 99.0  # percentile of the drawn values that is as strong as colours get


@dataclass(frozen=True)
class Explanation:
    """An attribution with what it belongs to.

    Attributes
    ----------
    label : str
    meaning : str
        What `attribution.score` is: log odds, a number in its unit, a log hazard ratio.
    leads : list of str
        Columns of `signal_mv` and `attribution.values`.
    sampling_rate : float
        Hz.
    signal_mv : ndarray of float64, shape (samples, leads)
        As the model reads it; of one whose encoder has an `input` before that takes the unit away.
    attribution : Attribution
    phase : ndarray of int8, shape (samples,)
        Part of the beat of each sample: places in `PHASES`.
    beats : int
        Beats that were found.
    standardized : bool
        Whether the path of the attribution ends at the standardised recording, which such an encoder reads.
    in_mv : bool
        Whether the encoder reads millivolts, and not what its `input` makes of them.
    """

    label: str
    meaning: str
    leads: list[str]
    sampling_rate: float
    signal_mv: np.ndarray
    attribution: Attribution
    phase: np.ndarray
    beats: int
    standardized: bool = False
    in_mv: bool = True

    def by_lead(self) -> dict[str, dict[str, float]]:
        """Of each lead `share` (of all absolute values), `sum`, and `occlusion`."""
        values, lost = self.attribution.values, self.attribution.occlusion
        shares = _shares(np.abs(values).sum(axis=0))
        return {
            lead: {"share": shares[k], "sum": float(values[:, k].sum()), "occlusion": float(lost[k])}
            for k, lead in enumerate(self.leads)
        }

    def by_phase(self) -> dict[str, dict[str, float]]:
        """Of each part of the beat `share`, `sum`, and `time`, the share of samples; empty where no beat was found."""
        if not self.beats:
            return {}
        values = self.attribution.values
        within = [self.phase == place for place in range(len(PHASES))]
        shares = _shares(np.array([np.abs(values[mask]).sum() for mask in within]))
        return {
            name: {"share": shares[place], "sum": float(values[within[place]].sum()),
                   "time": float(within[place].mean())}
            for place, name in enumerate(PHASES)
        }  # fmt: skip

    def lines(self) -> list[str]:
        """What is explained, and the summary, as they stand above the paper."""
        found = self.attribution
        leads = sorted(self.by_lead().items(), key=lambda item: -item[1]["share"])[:4]
        phases = sorted(self.by_phase().items(), key=lambda item: -item[1]["share"])[:3]
        where = ", ".join(f"{name} {100 * one['share']:.0f} %" for name, one in leads)
        when = ", ".join(f"{name} {100 * one['share']:.0f} %" for name, one in phases) or "no beat was found"
        return [
            f"explained: {self.meaning} of {self.label}, {found.score:+.2f}; of a flat line {found.flat:+.2f}; "
            f"orange adds to it, blue takes away; {100 * found.error:.1f} % unexplained",
            f"where: {where}    when: {when}",
        ]

    def content(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        found = self.attribution
        return {
            "label": self.label,
            "explained": self.meaning,
            "score": found.score,
            "flat_line": found.flat,
            "method": f"integrated gradients from a flat line to the {'standardised ' * self.standardized}recording"
            + ("" if self.in_mv else ", both as the encoder's input makes them"),
            "completeness_error": found.error,
            "steps": found.steps,
            "beats": self.beats,
            "by_lead": self.by_lead(),
            "by_phase": self.by_phase(),
            "sampling_rate": self.sampling_rate,
            "attribution": {lead: [float(f"{value:.6g}") for value in found.values[:, k].tolist()]
                            for k, lead in enumerate(self.leads)},
        }  # fmt: skip

    def figure(self, **options: Any) -> Figure:
        """The recording as the model reads it on paper, each trace shaded by what it adds.

        Parameters
        ----------
        **options
            `title`, `lines` (of default the summary), `start`, `layout` and `lead` of `plot_ecg`.
        """
        drawn = gaussian_filter1d(self.attribution.values, _SMOOTH * self.sampling_rate, axis=0)
        full = float(np.percentile(np.abs(drawn), _FULL))
        return plot_ecg(
            self.signal_mv,
            self.sampling_rate,
            self.leads,
            note="prepared as the model reads it" if self.in_mv else "in mV; what the model reads is made of it",
            shade=drawn / full if full else drawn,
            **{"lines": self.lines(), **options},
        )


def _shares(amounts: np.ndarray) -> list[float]:
    total = float(amounts.sum())
    return [float(amount) / total if total else 0.0 for amount in amounts]


def explain(model: ECGModel, record: Record | Prepared, label: str) -> Explanation:
    """Explain what a model says of one label of a recording.

    Parameters
    ----------
    model : ECGModel
        Of any kind of task and encoder.
    record : Record or Prepared
    label : str
        One of `label_names`.

    Raises
    ------
    UserError
        There is no such label, the model has no answer for the recording, or the attribution does not add up.
    """
    if label not in model.label_names:
        raise UserError(f"--label {label}: the model has {', '.join(model.label_names[:40])}")
    prepared = record if isinstance(record, Prepared) else prepare_record(record, model.encoder.preprocess)
    if prepared.fault:
        raise UserError(f"{prepared.name or 'the recording'}: no answer to explain: {': '.join(prepared.fault)}")
    place = model.label_names.index(label)
    found = attribute(model, prepared.signal, place)
    signal_mv = shown_mv(prepared.signal, model.encoder)
    phase, beats = phases_of(signal_mv, model.encoder.sampling_rate)
    return Explanation(
        label=label,
        meaning=Score(model, place).meaning,
        leads=list(model.encoder.leads),
        sampling_rate=float(model.encoder.sampling_rate),
        signal_mv=signal_mv,
        attribution=found,
        phase=phase,
        beats=beats,
        standardized=_standardizes(model),
        in_mv=model.encoder.input is None or model.encoder.input.millivolts,
    )


def _standardizes(model: ECGModel) -> bool:
    import torch

    x = torch.zeros(1, len(model.encoder.leads), 8)
    return model.encoder.standardized(x) is not x
