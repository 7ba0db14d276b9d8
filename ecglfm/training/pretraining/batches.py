"""The pairs of recordings that a pretraining learns from and is validated on, as this rank gets them."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from ecglfm import distributed
from ecglfm.config import EncoderSlice
from ecglfm.config.wording import counted
from ecglfm.data.loading import Mixture, PairSampler, PretrainBatches, ReportVectors, recorded_leads
from ecglfm.data.signals import signals_for

logger = logging.getLogger(__name__)


def pair_batches(
    slice_: EncoderSlice, records: pd.DataFrame, folder: Path, reports: ReportVectors | None = None
) -> tuple[PretrainBatches, PretrainBatches | None]:
    """Training pairs, and validation pairs where there are enough.

    Parameters
    ----------
    slice_ : EncoderSlice
        Of an encoder that is pretrained.
    records : DataFrame
        Rows of the manifest.
    folder : path
        The prepared signals.
    reports : ReportVectors, optional
        Of these records, where the objective reads them.

    Raises
    ------
    UserError
        There are too few pairs to train on, or none of a source of the mixture.
    """
    assert slice_.config.pretrain is not None
    config, signals = slice_.config.pretrain, signals_for(slice_, records, folder)
    records = records.assign(n_samples=signals.n_samples)
    shortest = config.crop_seconds if config.min_seconds is None else config.min_seconds

    def sampler(split: str) -> PairSampler:
        return PairSampler(
            records,
            split=split,
            length=round(config.crop_seconds * slice_.sampling_rate),
            min_length=round(shortest * slice_.sampling_rate),
            min_recordings=config.min_recordings,
            pairs=config.objective.pairs,
        )

    rank, world_size = distributed.rank(), distributed.world_size()
    train = PretrainBatches(
        signals,
        sampler("train"),
        batch_size=config.batch_size,
        accumulate=config.accumulate,
        seed=config.seed,
        lead_mask_probability=config.lead_mask_probability,
        recorded=recorded_leads(records["lead_mask"].to_numpy(), slice_.leads),
        reports=reports,
        shuffle_block=config.shuffle_block,
        mixture=None if config.mixture is None else Mixture(records["source"].astype(str).to_numpy(), config.mixture),
        rank=rank,
        world_size=world_size,
    )
    pairs = sampler("valid")
    if len(pairs) < world_size:
        logger.warning("the validation split has %s: no validation", counted(len(pairs), "pair"))
        return train, None
    valid = PretrainBatches(
        signals,
        pairs,
        batch_size=config.batch_size,
        seed=config.seed,
        reports=reports,
        training=False,
        rank=rank,
        world_size=world_size,
    )
    return train, valid
