"""What a user may say about signals: rate, leads, filters, quality tests."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from ecglfm.config.base import Section

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


class BandpassConfig(Section):
    """Zero-phase Butterworth band-pass."""

    low: float = Field(0.5, gt=0, description="lower cut-off, Hz")
    high: float = Field(100.0, gt=0, description="upper cut-off, Hz")
    order: int = Field(3, ge=1, le=8, description="order of the Butterworth filter (applied forwards and backwards)")


class NotchConfig(Section):
    """Zero-phase notch against mains hum."""

    frequency: float = Field(50.0, gt=0, description="mains frequency, Hz")
    quality: float = Field(30.0, gt=0, description="Q of the notch: centre frequency over width")


class QualityTest(Section):
    """What a measured quality may be at most, and what happens beyond it."""

    limit: float = Field(description="largest value that passes")
    action: Literal["drop", "flag", "keep"] = Field(
        "flag", description="beyond the limit: drop the record, flag it in the ledger, or keep it silently"
    )


class QualityConfig(Section):
    """A test per measured quality; every measurement is in the preprocess table whatever the action."""

    missing_fraction: QualityTest = Field(
        QualityTest(limit=0.1, action="drop"),
        description="share of samples that could not be held (NaN, beyond +-32.767 mV)",
    )
    flat_leads: QualityTest = Field(
        QualityTest(limit=0, action="flag"), description="number of leads that never move (peak to peak under 10 uV)"
    )
    clipped_fraction: QualityTest = Field(
        QualityTest(limit=0.01, action="flag"),
        description="share of samples at a lead's own extreme, in runs of at least 10 ms",
    )
    einthoven_residual: QualityTest = Field(
        QualityTest(limit=0.2, action="flag"),
        description="root mean square of I + III - II over that of II: swapped or uncalibrated limb leads",
    )


class PreprocessConfig(Section):
    """From ingest shards to model-ready signals."""

    sampling_rate: int = Field(500, ge=50, description="rate of the prepared signals, Hz")
    leads: list[str] = Field(
        list(LEADS), description="leads and their order in the prepared signals; the encoder reads them in this order"
    )
    bandpass: BandpassConfig | None = Field(None, description="band-pass filter; null: none (as ECG-LFM)")
    notch: NotchConfig | None = Field(None, description="mains notch; null: none (as ECG-LFM)")
    max_gap_seconds: float = Field(
        0.2, ge=0, description="missing runs up to this long are interpolated; longer ones become 0 and are flagged"
    )
    quality: QualityConfig = Field(QualityConfig(), description="quality tests")

    @field_validator("leads")
    @classmethod
    def _leads_are_known(cls, leads: list[str]) -> list[str]:
        unknown = [lead for lead in leads if lead not in LEADS]
        if unknown or len(set(leads)) != len(leads) or not leads:
            raise ValueError(f"each lead once, out of {' '.join(LEADS)}; wrong here: {unknown or leads}")
        return leads
