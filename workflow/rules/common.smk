# What every stage shares: the checked config, lists of names, and the functions that rules call.
# Requires: config/config.yaml and the YAML files that it names.
# Makes: nothing; the rules are in the other files.

import json
import re
import shlex
import shutil
from itertools import product

from ecglfm.config import Project
from ecglfm.config.fits import parse_fit
from ecglfm.config.identity import check_identity, write_identity
from ecglfm.config.encoders import remember
from ecglfm.config.made_with import check_made_with, write_made_with
from ecglfm.config.named_files import check_named_files, named_files
from snakemake.exceptions import WorkflowError
from snakemake.io import IOFile

CONFIG_DIR = Path("config") if Path("config/sources").is_dir() else Path(workflow.basedir).parent / "config"

try:
    PROJECT = Project(config, CONFIG_DIR, over=GIVEN)
    check_identity(PROJECT)
    check_made_with(Path(PROJECT.config.results))
except UserError as error:
    sys.exit(str(error))

SOURCES = list(PROJECT.sources)
ENCODERS = list(PROJECT.encoders)
BASELINES = [name for name, encoder in PROJECT.encoders.items() if encoder.weights in ("random", "none")]
TASKS = list(PROJECT.tasks)
VERIFICATIONS = list(PROJECT.verifications)  # tasks of kind verification: no labels, nothing is fine-tuned
STRATIFY_FILES = sorted({file for task in PROJECT.stratifying.values() for file in task.files})
FITS = PROJECT.fits
EFFICIENCY_FITS = PROJECT.efficiency_fits
FOLD_FITS = sorted({name for task in TASKS for fit in FITS for name in PROJECT.models(task, fit)} - set(FITS))
SLICES = PROJECT.slices()
TRACKING = f"{PROJECT.config.results}/config/tracking.yaml"  # no input of a rule: a change of it reruns nothing
TRACKING_SLICE = SLICES.pop("tracking")
NAMED_FILES = named_files(PROJECT)
#: Target: files of an analysis, which the report shows where they have been made; it makes none.
ANALYSES = {
    "label_efficiency": ["evaluate/label_efficiency.csv"],
    "leaderboard": ["leaderboard/leaderboard.json"],
    "lead_sets": ["lead_sets/lead_sets.json"],
    "confounders": ["confounders/confounders.json"],
    "serial": ["serial/serial.json"],
    "umap": ["umap/umap.json"],
    "discover": [f"discover/{encoder}/index.html" for encoder in ENCODERS],
}


wildcard_constraints:
    source="|".join(SOURCES),
    encoder="|".join(ENCODERS) or "none",
    task="|".join(TASKS) or "none",
    fit="|".join(FITS + EFFICIENCY_FITS),
    shard=r"\d\d\d+",


def get_command():
    """What a person types to make this again: files and values of the config that they named, no address of a server."""
    files = [name for name, _ in GIVEN if name != "--config"]
    said = {key: value for key, value in dict(GIVEN)["--config"].items() if key not in {"tracking", "model"}}
    values = [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in said.items()]
    options = [["--configfile", *files] if files else [], ["--config", *values] if values else []]
    return shlex.join(["snakemake", *sum(options, [])])


def prepare_results():
    """Once a run starts: the results folder remembers which databases fill it and which command, and jobs read where MLflow is."""
    from ecglfm.provenance import write_text  # not needed to plan

    if workflow.executor_plugin.name == "slurm" and shutil.which("sbatch") is None:
        raise WorkflowError(
            "--profile slurm: this machine has no `sbatch`: run it on a cluster, or without the profile"
        )
    results = PROJECT.config.results
    try:
        write_identity(PROJECT)
        write_made_with(Path(results))
        remember(results, PROJECT.imported)
        write_text(f"{results}/config/command.txt", f"{get_command()}\n")
        write_text(TRACKING, f"{TRACKING_SLICE}\n", private=PROJECT.tracking_slice().has_password)
    except OSError as error:
        raise WorkflowError(
            f"{results} cannot be written ({error.strerror}): set `results` to a folder of yours"
        ) from None


def get_shards(source):
    """Shard names of a source: 000, 001, …"""
    return [f"{shard:03d}" for shard in range(PROJECT.sources[source].shards)]


def get_shard_files(stage, sources, ending):
    """One file per shard of each source in a stage's folder."""
    return [f"<results>/{stage}/{source}/{shard}{ending}" for source in sources for shard in get_shards(source)]


def only_fits(*values):
    """Combinations of wildcards, in place of expand's own, without fits in modes that an encoder has no weights for."""
    return [made for made in product(*values) if PROJECT.has_fit(dict(made)["encoder"], dict(made)["fit"])]


def get_baselines(wildcards):
    """What stands beside a model: encoders with random or no weights, fitted to the same task, as far as they can, likewise."""
    task, fit = wildcards.task, wildcards.fit
    return [f"{name}/{task}/{PROJECT.fit_beside(name, fit)}" for name in BASELINES]


def get_baseline_metrics(wildcards):
    """Measures of what stands beside a model."""
    return [f"<results>/evaluate/{model}/metrics.json" for model in get_baselines(wildcards)]


def get_slice(wildcards):
    """Text of one config slice."""
    return SLICES[wildcards.slice]


def force_stale_slice(wildcards):
    """No input. A slice is made anew, too, where its file says otherwise and Snakemake would not see it.

    It compares with its own records, by path in the folder where it runs: results that were moved, or that another
    clone went on with, have none, or those of a config that was there before. It exits, as `require` does, where a file
    that the slice names is missing.
    """
    path, text = f"{PROJECT.config.results}/config/{wildcards.slice}.yaml", SLICES[wildcards.slice]
    try:
        check_named_files(NAMED_FILES.get(wildcards.slice, []), PROJECT.config.results, wildcards.slice, text)
    except UserError as error:
        sys.exit(str(error))
    if Path(path).is_file() and Path(path).read_text(encoding="utf-8") != f"{text}\n":
        record = workflow.persistence.metadata(IOFile(path))
        if record is None or repr(text) in (record.params or []):
            workflow.dag.forcefiles.add(path)
    return []


def get_imported(wildcards):
    """Files of the encoder that `weights: import` takes, so that a newer one is imported again."""
    path = PROJECT.encoders[wildcards.encoder].import_path
    if path and (maker := PROJECT.maker(path)) is not None:  # Snakemake knows the folder by this spelling alone
        path = f"<results>/pretrain/{maker}"
    return [f"{path}/encoder.safetensors", f"{path}/encoder.json"] if path else []


def get_reports(wildcards):
    """What an objective that aligns recordings with their reports reads: indexes, and the files of a text encoder."""
    pretrain = PROJECT.encoders[wildcards.encoder].pretrain
    if pretrain is None or not pretrain.objective.aligns:
        return []
    folder = pretrain.objective.text_encoder
    own = [path for ending in ("json", "safetensors") for path in Path(folder).glob(f"*.{ending}")] if folder else []
    return [f"<results>/index/{source}.parquet" for source in PROJECT.pretrain_sources(wildcards.encoder)] + sorted(
        map(str, own)
    )


def get_tables(wildcards):
    """Files of a database that its index is made from.

    Snakemake takes an old index for good when an input of its rule is missing, so a table that is not in the root is
    left out: then `index` runs anew and says which. Results whose whole database was put away stay as they are; where
    there are none it exits, as `require` does.
    """
    source = PROJECT.sources[wildcards.source]
    own = [path for path in source.own_files if Path(path).exists()]
    if source.kind == "synthetic":
        return [f"<results>/synthetic/{wildcards.source}", *own]
    tables = [Path(source.root) / table for table in source.tables]
    index = Path(PROJECT.config.results, "index", f"{wildcards.source}.parquet")
    if tables and not Path(source.root).is_dir() and not index.exists():
        fetch = get_command().replace("snakemake", "snakemake download", 1)
        sys.exit(
            f"{source.root}: no such folder, where source {wildcards.source!r} should lie: "
            + (f"fetch it with `{fetch}`, or " if f"download/{wildcards.source}" in SLICES else "")
            + f"say where it is: --config 'roots={{{wildcards.source}: FOLDER}}'"
        )
    return [str(table) for table in tables if table.exists() or not Path(source.root).is_dir()] + own


def get_shard_count(wildcards):
    """Number of shards of a source."""
    return PROJECT.sources[wildcards.source].shards


def get_task_index(wildcards):
    """Index files of a task's sources."""
    return [f"<results>/index/{source}.parquet" for source in PROJECT.task_sources(wildcards.task)]


def get_task_files(wildcards):
    """Label files of the user's own that a task reads."""
    return PROJECT.tasks[wildcards.task].files


def get_launcher(wildcards, resources, threads):
    """`srun` for the nodes and tasks of the profile, one task per rank; nothing where the profile names no nodes.

    A single task needs it, too: Slurm's warning before the end of the walltime reaches what srun started. All is said
    again because Snakemake's job step hides what sbatch was told. A rank that dies takes the others with it.
    """
    if resources.get("nodes") is None:
        return ""
    nodes = resources.nodes
    tasks = nodes * (resources.get("tasks_per_node") or (resources.get("tasks") or nodes) // nodes)
    return (
        f"{resources.mpi or 'srun'} --nodes={nodes} --ntasks={tasks} --ntasks-per-node={tasks // nodes}"
        f" --cpus-per-task={threads} --kill-on-bad-exit=1"
    )


def get_vectors(wildcards):
    """What a linear probe learns from: vectors of the windows of a task's sources; nothing for other fits."""
    if parse_fit(wildcards.fit).mode != "linear":
        return []
    folder = f"<results>/embed/{wildcards.encoder}"
    return [f"{folder}/{source}.windows.parquet" for source in PROJECT.task_sources(wildcards.task)]


def get_prompts(wildcards):
    """What a zero-shot model is made of, beside an encoder that knows words; nothing for other fits."""
    return [f"<results>/config/prompts/{wildcards.task}.yaml"] if parse_fit(wildcards.fit).mode == "zero_shot" else []


def get_finetune_config(wildcards):
    """What a fit is told: the section as its encoder has it, or as its variant has it."""
    variant = parse_fit(wildcards.fit).variant
    name = f"{wildcards.encoder}/{variant}" if variant else wildcards.encoder
    return f"<results>/config/finetune/{name}.yaml"


def get_models(wildcards):
    """What is evaluated as one fit of a task: a model, or that of each fold of a cross-validation."""
    names = PROJECT.models(wildcards.task, wildcards.fit)
    return [f"<results>/finetune/{wildcards.encoder}/{wildcards.task}/{name}/model.safetensors" for name in names]


def get_analyses(wildcards):
    """Those that there are, as they are, and those that the same call asks for, which come before the report."""
    asked = workflow.dag_settings.targets
    return [
        name if target in asked or name in asked else before_update(name)
        for target, files in ANALYSES.items()
        for name in (f"{PROJECT.config.results}/{file}" for file in files)
        if target in asked or name in asked or Path(name).is_file()
    ]


def require(*keys):
    """Input function of a target that has nothing to make while one of these lists is empty.

    It exits: Snakemake would bury the line of any other error of an input function in a traceback.
    """
    chosen = {"encoders": ENCODERS, "tasks": TASKS, "verifications": VERIFICATIONS}

    def check(wildcards):
        for key in keys:
            if not chosen[key]:
                folder = key.replace("verifications", "tasks")
                wrong = "no `kind: verification`" if key == "verifications" else "nothing but `kind: verification`"
                what = f"names {wrong}" if getattr(PROJECT.config, folder) else "is empty"
                sys.exit(f"{PROJECT.whose(folder)} `{folder}` {what}: name some of config/{folder}/*.yaml there")
        return []

    return check


def require_model(wildcards):
    """Input function of `evaluate_on`; it exits as `require` does."""
    if PROJECT.model is None:
        sys.exit("evaluate_on: which model? Name its folder: --config model=results/finetune/ENCODER/TASK/FIT")
    return []


def require_splits(wildcards):
    """Input function of a target that cross-validated tasks cannot have; it exits as `require` does."""
    for task in TASKS:
        if PROJECT.cross_validated(task):
            sys.exit(
                f"label_efficiency: task {task!r} is cross-validated (manifest.folds), whose fits take all patients of"
                " the other folds: take it out of `tasks`, or split its sources by `fractions`"
            )
    return []


def get_downloads():
    """Sources that may be fetched: a copy that the user put in place is left alone."""
    published = [source for source in SOURCES if f"download/{source}" in SLICES]
    roots = {source: Path(PROJECT.sources[source].root) for source in published}
    return [source for source, root in roots.items() if (root / ".download").is_dir() or not any(root.glob("*"))]
