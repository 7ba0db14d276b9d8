"""Batches for training: in which order, which recordings make a pair, and the processes that load them."""

from __future__ import annotations

from ecglfm.data.loading.loader import load
from ecglfm.data.loading.order import BlockShuffled, Order, Shuffled
from ecglfm.data.loading.pairs import PairSampler
from ecglfm.data.loading.pretraining import Mixture, PairBatch, PretrainBatches, on_device, recorded_leads
from ecglfm.data.loading.reports import ReportVectors

__all__ = [
    "BlockShuffled",
    "Mixture",
    "Order",
    "PairBatch",
    "PairSampler",
    "PretrainBatches",
    "ReportVectors",
    "Shuffled",
    "load",
    "on_device",
    "recorded_leads",
]
