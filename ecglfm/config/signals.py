"""What a user may say about signals: rate, leads, filters, quality tests."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

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


class RangeTest(Section):
    """Between what a measured quality must lie, and what happens outside."""

    lowest: float = Field(description="smallest value that passes")
    highest: float = Field(description="largest value that passes")
    action: Literal["drop", "flag", "keep"] = Field(
        "flag", description="outside: drop the record, flag it in the ledger, or keep it silently"
    )


class QualityConfig(Section):
    """A test per measured quality; every measurement is in the preprocess table whatever the action.

    The measures concern the leads of `preprocess.leads` that the recording has, before any filter; one that a recording
    cannot have (mains noise at 100 Hz) is null and passes.
    """

    missing_leads: QualityTest = Field(
        QualityTest(limit=0, action="drop"),
        description="number of `preprocess.leads` that are absent; those of a record that is kept are zeros",
    )
    missing_fraction: QualityTest = Field(
        QualityTest(limit=0.1, action="drop"),
        description="share of samples that could not be held (NaN, beyond +-32.767 mV)",
    )
    long_gap: QualityTest = Field(
        QualityTest(limit=0, action="flag"),
        description="longest run of missing samples that was not interpolated (see `max_gap_seconds`), s; 0: none",
    )
    flat_leads: QualityTest = Field(
        QualityTest(limit=0, action="flag"), description="number of leads that never move (peak to peak under 10 uV)"
    )
    lead_off: QualityTest = Field(
        QualityTest(limit=1.0, action="flag"),
        description="longest stretch in which a lead that moves elsewhere stays within 10 uV (electrode off, amplifier "
        "at its rail), s, in steps of 0.2 s",
    )
    clipped_fraction: QualityTest = Field(
        QualityTest(limit=0.01, action="flag"),
        description="share of samples at a lead's own extreme, in runs of at least 10 ms: saturation",
    )
    amplitude: RangeTest = Field(
        RangeTest(lowest=0.2, highest=6.0, action="drop"),
        description="peak-to-peak amplitude of 2 s, median over time and over the leads that move, mV; 0 where none "
        "does. No heart is outside: nothing was recorded, or unit or gain is wrong",
    )
    mains_noise: QualityTest = Field(
        QualityTest(limit=25.0, action="flag"),
        description="amplitude of the 50 or 60 Hz sine in the worst lead, above the level 5 Hz to both sides, uV; the "
        "table has the frequency as `mains_frequency`",
    )
    einthoven_residual: QualityTest = Field(
        QualityTest(limit=0.2, action="flag"),
        description="root mean square of I + III - II over that of II, both without their means: swapped channels or "
        "uncalibrated limb leads",
    )
    swapped_leads: QualityTest = Field(
        QualityTest(limit=0.5, action="flag"),
        description="evidence that the right arm's electrode sits on another limb: correlation with V6 of aVR less the "
        "lowest of aVL and aVF (-2 to 2; about -1 in a normal ECG)",
    )


class PreprocessConfig(Section):
    """From ingest shards to model-ready signals."""

    sampling_rate: int = Field(500, ge=50, le=20000, description="rate of the prepared signals, Hz")
    leads: list[str] = Field(
        list(LEADS), description="leads and their order in the prepared signals; the encoder reads them in this order"
    )
    bandpass: BandpassConfig | None = Field(None, description="band-pass filter; null: none (as ECG-LFM)")
    notch: NotchConfig | None = Field(None, description="mains notch; null: none (as ECG-LFM)")
    max_gap_seconds: float = Field(
        0.2, ge=0, description="missing runs up to this long are interpolated, s; longer ones become 0 (see `long_gap`)"
    )
    quality: QualityConfig = Field(QualityConfig(), description="quality tests")

    @field_validator("leads")
    @classmethod
    def _leads_are_known(cls, leads: list[str]) -> list[str]:
        unknown = [lead for lead in leads if lead not in LEADS]
        if unknown or len(set(leads)) != len(leads) or not leads:
            raise ValueError(f"each lead once, out of {' '.join(LEADS)}; wrong here: {unknown or leads}")
        return leads

    @model_validator(mode="after")
    def _filters_fit(self) -> PreprocessConfig:
        half, band = self.sampling_rate / 2, self.bandpass
        if band is not None and not band.low < band.high < half:
            raise ValueError(
                f"bandpass: {band.low:g} to {band.high:g} Hz: `low` must be below `high`, and that below {half:g} Hz, "
                "half of sampling_rate; or write `bandpass: null`"
            )
        if self.notch is not None and not self.notch.frequency < half:
            raise ValueError(
                f"notch: frequency: {self.notch.frequency:g} Hz is not below {half:g} Hz, half of sampling_rate; "
                "write `notch: null`"
            )
        return self
