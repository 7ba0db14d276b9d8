"""The synthetic database: a moving cardiac dipole, people with conditions, and the tables of a real database."""

from __future__ import annotations

from ecglfm.sources.synthesis.database import population, run_synthesize
from ecglfm.sources.synthesis.heart import INDEPENDENT_LEADS, quantize, record_leads, sinus_rhythm
from ecglfm.sources.synthesis.patient import (
    PR_SPREAD,
    QTC_SPREAD,
    VOLTAGE_SPREAD,
    Patient,
    draw_patient,
    generator,
    pr_law,
    qtc_law,
    voltage_law,
)
from ecglfm.sources.synthesis.tables import mimic_ids

__all__ = [
    "INDEPENDENT_LEADS",
    "PR_SPREAD",
    "QTC_SPREAD",
    "VOLTAGE_SPREAD",
    "Patient",
    "draw_patient",
    "generator",
    "mimic_ids",
    "population",
    "pr_law",
    "qtc_law",
    "quantize",
    "record_leads",
    "run_synthesize",
    "sinus_rhythm",
    "voltage_law",
]
