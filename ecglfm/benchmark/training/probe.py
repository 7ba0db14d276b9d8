"""`benchmark probe`: a linear probe of 71 labels on PTB-XL's size, from vectors that are there already.

21,799 records of two windows, 1024-d, in the benchmark's split; labels as frequent as PTB-XL's, planted with noise. The
yardstick is scikit-learn's logistic regression, label by label, on the records' mean vectors.
"""

from __future__ import annotations

import argparse

from ecglfm.benchmark.timing import report, seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--records", type=int, default=21799, help="records, of two windows each")
    parser.add_argument("--labels", type=int, default=71, help="labels")
    parser.add_argument("--dim", type=int, default=1024, help="width of the vectors")
    parser.add_argument("--epochs", type=int, default=100, help="epochs at most; it stops after 3 without a better one")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    import numpy as np
    import pandas as pd
    import torch
    from sklearn.linear_model import LogisticRegression

    from ecglfm import distributed
    from ecglfm.config import LEADS, ConformerConfig, FinetuneConfig, PreprocessConfig
    from ecglfm.models.encoders import ECGEncoder
    from ecglfm.models.heads import ECGModel
    from ecglfm.training.finetuning import macro_auroc, make_criterion, probe_learner, train

    distributed.init(None)
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((args.records, 2, args.dim), dtype=np.float32)
    score = vectors.mean(axis=1) @ rng.standard_normal((args.dim, args.labels), dtype=np.float32) / args.dim**0.5
    score += rng.normal(0, 0.3, score.shape).astype(np.float32)
    prevalence = np.geomspace(0.4, 0.003, args.labels)
    cuts = [np.quantile(column, 1 - share) for column, share in zip(score.T, prevalence, strict=True)]
    target = (score > cuts).astype(np.float32)
    train_rows, valid_rows = (
        np.arange(args.records * 8 // 10),
        np.arange(args.records * 8 // 10, args.records * 9 // 10),
    )

    torch.manual_seed(0)
    config = FinetuneConfig(epochs=args.epochs, patience=3, lr=5e-3, batch_size=512)
    tiny = ConformerConfig(layers=1, dim=args.dim, ffn_dim=8, heads=1, kernel=3, conv_channels=8)
    encoder = ECGEncoder(tiny, list(LEADS), 500, PreprocessConfig(), 5.0)
    model = ECGModel(encoder, [f"label{i}" for i in range(args.labels)], "linear")
    inputs, valid_inputs = (torch.from_numpy(vectors[rows].reshape(-1, args.dim)) for rows in (train_rows, valid_rows))
    learner = probe_learner(
        model, inputs, target[train_rows].repeat(2, axis=0), valid_inputs, pd.Series(valid_rows.repeat(2)),
        batch_size=config.batch_size, seed=0,
    )  # fmt: skip
    criterion = make_criterion(config, model.link, target[train_rows])
    ours = seconds(lambda: train(learner, config, criterion, seed=0, target=target[valid_rows]))
    mean, column = vectors.mean(axis=1)[train_rows], args.labels // 2
    once = seconds(lambda: LogisticRegression(max_iter=100).fit(mean, target[train_rows, column]))
    auroc = macro_auroc(target[valid_rows], learner.validate(None))
    name = f"probe of {args.labels} labels, macro AUROC {auroc:.3f}"
    report(name, [ours], "scikit-learn, one label times their number", [once * args.labels])
