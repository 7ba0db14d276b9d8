"""Commands of the group `analyses`: `lead-sets`, `lead-sets-page`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands of this group."""
    sets = commands.add_parser("lead-sets", help="measure a fine-tuned model that is told fewer leads")
    sets.add_argument("--config", type=Path, required=True, help="slice of the config: config/lead_sets.yaml")
    sets.add_argument("--evaluation", type=Path, required=True, help="slice of the config: config/evaluate.yaml")
    sets.add_argument(
        "--model",
        nargs="+",
        type=Path,
        required=True,
        help="folder that finetune wrote; of a cross-validation one per fold",
    )
    sets.add_argument("--predictions", type=Path, required=True, help="predictions.parquet that evaluate wrote of it")
    sets.add_argument("--labels", type=Path, required=True, help="labels/{task}.parquet")
    sets.add_argument("--manifest", type=Path, required=True, help="manifest/records.parquet")
    sets.add_argument("--signals", type=Path, required=True, help="folder preprocess/")
    sets.add_argument("--output", type=Path, required=True, help="folder to write into")
    sets.add_argument("--threads", type=int, default=1, help="threads of torch")
    sets.set_defaults(run=_lead_sets)

    gather = commands.add_parser("lead-sets-page", help="set all models at fewer leads side by side, on one page")
    gather.add_argument("--results", type=Path, required=True, help="folder of every output")
    gather.add_argument("--include", nargs="+", required=True, metavar="ENCODER/TASK/FIT", help="models to show")
    gather.set_defaults(run=_lead_sets_page)


def _lead_sets(args: argparse.Namespace) -> None:
    from ecglfm.config import EvaluateSlice, LeadSetsConfig, load
    from ecglfm.evaluation.lead_sets import run_lead_sets

    run_lead_sets(
        load(LeadSetsConfig, args.config),
        load(EvaluateSlice, args.evaluation),
        model=args.model,
        predictions=args.predictions,
        labels=args.labels,
        manifest=args.manifest,
        signals=args.signals,
        output=args.output,
        threads=args.threads,
    )


def _lead_sets_page(args: argparse.Namespace) -> None:
    from ecglfm.evaluation.lead_sets import gather_lead_sets
    from ecglfm.evaluation.report import run_analysis_page

    folder = args.results / "lead_sets"
    gather_lead_sets(folder, args.include)
    run_analysis_page("lead_sets", args.results, folder / "index.html")
