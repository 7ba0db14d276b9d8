"""What a recording is: leads by name, microvolts, identifiers, and the tables every stage shares.

Everything that reads or writes a table of records takes its column names from here.
"""

from __future__ import annotations

from ecglfm.records.arrays import UNITS, as_record
from ecglfm.records.errors import RecordError
from ecglfm.records.leads import NAME_LEADS, LeadChoice, limb_weights, normalize_lead
from ecglfm.records.moments import DATES, YEARS, columns_of, made_at, stated_day
from ecglfm.records.record import ALL_LEADS, LIMIT_UV, MAX_SAMPLES, SENTINEL, Microvolts, Record, to_microvolts
from ecglfm.records.reports import Reports, normalized, read_reports
from ecglfm.records.tables import (
    HASHED,
    INDEX_COLUMNS,
    LEDGER_COLUMNS,
    SPLITS,
    data_hash,
    data_hash_of_pieces,
    ledger_frame,
    manifest_hash,
    places,
    read_folds,
    require_columns,
)

__all__ = [
    "ALL_LEADS",
    "DATES",
    "HASHED",
    "INDEX_COLUMNS",
    "LEDGER_COLUMNS",
    "LIMIT_UV",
    "MAX_SAMPLES",
    "NAME_LEADS",
    "SENTINEL",
    "SPLITS",
    "UNITS",
    "YEARS",
    "LeadChoice",
    "Microvolts",
    "Record",
    "RecordError",
    "Reports",
    "as_record",
    "columns_of",
    "data_hash",
    "data_hash_of_pieces",
    "ledger_frame",
    "limb_weights",
    "made_at",
    "manifest_hash",
    "normalize_lead",
    "normalized",
    "places",
    "read_folds",
    "read_reports",
    "require_columns",
    "stated_day",
    "to_microvolts",
]
