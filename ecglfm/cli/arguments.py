"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecglfm.config import SourceConfig, SourceSlice, TrackingSlice, UserError, load, read_yaml
from ecglfm.config.text import legible
from ecglfm.extras import need

if TYPE_CHECKING:
    import pandas as pd

    from ecglfm.app.prediction import FromFiles, Reader, Recording
    from ecglfm.config import Project

#: What several commands read or write, by option, and what it is.
_PATHS = {
    "results": "folder of every output",
    "vectors": "embed/{encoder}/{source}.parquet",
    "manifest": "manifest/records.parquet",
    "index": "index/{source}.parquet of the sources",
    "signals": "folder preprocess/",
    "labels": "labels/{task}.parquet",
    "features": "folder discover/{encoder} of the step features; written to, too",
    "output": "folder to write into",
}
_SEVERAL = ("ensemble", "previous", "leads", "file-leads")  # options of several values
_SHOWN = 5  # recordings without an answer that are named


class _Once(argparse._StoreAction):
    """A value, or values, of an option that stands once; a place on the line is no option."""

    _given: argparse.Namespace | None = None

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if option_string is not None and self._given is namespace:
            raise argparse.ArgumentError(self, "is given twice, and only the last would count: give it once")
        self._given = namespace
        super().__call__(parser, namespace, values, option_string)


class Parser(argparse.ArgumentParser):
    """A parser, and so those of its commands, that refuses an option given twice: argparse takes the last silently."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in (None, "store"):
            self.register("action", name, _Once)


def add_config(parser: argparse.ArgumentParser, name: str, option: str = "--config") -> None:
    """Declare the slice of the config that a command reads: `config/{name}.yaml` of a results folder."""
    parser.add_argument(option, type=Path, required=True, help=f"slice of the config: config/{name}.yaml")


def add_paths(parser: argparse.ArgumentParser, *names: str) -> None:
    """Declare files and folders that several commands read or write, such as `--manifest`, in this order."""
    for name in names:
        several: dict[str, Any] = {"nargs": "+"} if name in ("vectors", "index") else {}
        parser.add_argument(f"--{name}", type=Path, required=True, help=_PATHS[name], **several)


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Declare `--threads`."""
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")


def add_tracking(parser: argparse.ArgumentParser) -> None:
    """Declare `--tracking` and `--rule`."""
    parser.add_argument(
        "--tracking", type=Path, metavar="FILE", help="config/tracking.yaml; without it nothing goes to MLflow"
    )
    parser.add_argument("--rule", metavar="NAME", help="the Snakemake rule, a tag in MLflow")


def tracking_of(args: argparse.Namespace) -> TrackingSlice | None:
    """Where MLflow is; None without `--tracking`."""
    return load(TrackingSlice, args.tracking) if args.tracking else None


def read_project(
    path: Path, recipes: Sequence[Path], given: Mapping[str, Any] | None = None, **replaced: Any
) -> Project:
    """The project of a config file with recipes, and values of `--config`, laid over it, as Snakemake does.

    Keys of `replaced` are as the command wants them, whatever the files say.
    """
    from ecglfm.config import Project

    content = read_yaml(path)
    over = [*((str(recipe), read_yaml(recipe)) for recipe in recipes), ("--config", dict(given or {}))]
    if recipes or given:
        need("snakemake", extra="workflow", what="--configfile")
        from snakemake.utils import update_config

        for _, layer in over:
            update_config(content, deepcopy(layer))  # it merges in place
    return Project(content | replaced, path.parent, over=over)


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """Declare how files are read: `--leads`, `--file-leads`, `--links`."""
    parser.add_argument(
        "--leads", nargs="+", default=[], metavar="THEIRS=OURS", help="names of leads in the files: C1=V1 C2=V2"
    )
    parser.add_argument("--file-leads", nargs="+", default=[], metavar="LEAD", help="leads in the order of the files")
    parser.add_argument("--links", choices=["inside", "follow"], default="inside", help="where symbolic links may lead")


def files_reader(args: argparse.Namespace) -> FromFiles:
    """What reads files as `add_file_options` says; raises `UserError`."""
    from ecglfm.app.prediction import FromFiles

    wrong = [pair for pair in args.leads if "=" not in pair]
    if wrong:
        raise UserError(f"--leads {wrong[0]}: write THEIRS=OURS, such as C1=V1")
    leads = dict(pair.split("=", 1) for pair in args.leads)
    return FromFiles(leads=leads, file_leads=args.file_leads, links=args.links)


def add_recordings(parser: argparse.ArgumentParser) -> None:
    """Declare which recordings are meant, how they are read, and by how many processes."""
    parser.add_argument(
        "recordings",
        nargs="*",
        metavar="FILE_OR_FOLDER",
        help="WFDB records, files of devices (MUSE XML, DICOM, …), HDF5 of CODE-15 %%, or folders",
    )
    parser.add_argument("--source", type=Path, metavar="YAML", help="a database instead, as in config/sources/")
    add_file_options(parser)
    parser.add_argument("--workers", type=int, default=1, help="processes that read; the answers do not depend on it")
    add_threads(parser)


def add_numbers(parser: argparse.ArgumentParser) -> None:
    """Declare in which numbers a model is asked: `--precision`, `--compile`."""
    parser.add_argument(
        "--precision", choices=["fp32", "tf32", "bf16"], default="fp32",
        help="numbers of the products; tf32 (GPUs) and bf16 are faster where there are units for them, and round more",
    )  # fmt: skip
    parser.add_argument("--compile", action="store_true", help="compile the layers: a minute, worth it for thousands")


def recordings_of(args: argparse.Namespace) -> tuple[list[Recording], Reader]:
    """Recordings that are meant, and what reads them; raises `UserError` where none or two things are named."""
    from ecglfm.app.prediction import FromSource

    if bool(args.source) == bool(args.recordings):
        taken = [] if args.source else [f"--{name}" for name in _SEVERAL if getattr(args, name.replace("-", "_"), None)]
        swallowed = f"; {taken[0]} takes all that follows it: files and folders stand before it" if taken else ""
        raise UserError(f"name files or folders, or a database with --source YAML; one of the two{swallowed}")
    if args.source:
        source = FromSource(SourceSlice(source=args.source.stem, config=load(SourceConfig, args.source)))
        return source.find(), source
    files = files_reader(args)
    return files.find(args.recordings), files


def say_left_out(reasons: pd.Series, what: str) -> int:
    """Print which recordings got no answer; the exit status.

    Parameters
    ----------
    reasons : Series of str
        Why, by the name of the recording; empty where there is an answer.
    what : str
        `no answer`, `no vector`.
    """
    none = reasons[reasons != ""]
    if none.empty:
        return 0
    counts = Counter(reason.partition(":")[0] for reason in none)
    said = ", ".join(f"{reason} {count}" for reason, count in counts.most_common())
    print(f"{what} for {len(none)} of {len(reasons)}: {said}")
    for record, reason in none.head(_SHOWN).items():
        print(f"  {legible(str(record))}: {legible(reason)}")
    if len(none) > _SHOWN:
        print("  … the others stand in the table, column `reason`")
    return 1


def add_at(parser: argparse.ArgumentParser) -> None:
    """Declare `--at`: when a survival model says a risk."""
    parser.add_argument(
        "--at", type=_time, nargs="+", default=[], metavar="TIME",
        help="of survival: say the risk until these times, in the unit of the label's times, such as 1 5 (years); "
        "default: quartiles of the event times of the validation patients",
    )  # fmt: skip


def _time(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no time above 0")
    return value
