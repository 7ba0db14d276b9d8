"""The stage `finetune`: an encoder and the labels of a task become a disease model."""

from __future__ import annotations

from ecglfm.training.finetuning.criterion import make_criterion
from ecglfm.training.finetuning.finetune import run_finetune
from ecglfm.training.finetuning.labelled import hash_of_fit, load_labelled, share_of_patients
from ecglfm.training.finetuning.linear_probe import probe_learner
from ecglfm.training.finetuning.scores import macro_auroc
from ecglfm.training.finetuning.summary import lacking
from ecglfm.training.finetuning.supervised import train
from ecglfm.training.finetuning.targets import read_targets
from ecglfm.training.finetuning.thresholds import Rule, choose_threshold

__all__ = [
    "Rule",
    "choose_threshold",
    "hash_of_fit",
    "lacking",
    "load_labelled",
    "macro_auroc",
    "make_criterion",
    "probe_learner",
    "read_targets",
    "run_finetune",
    "share_of_patients",
    "train",
]
