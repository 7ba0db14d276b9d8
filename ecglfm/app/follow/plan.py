"""What Snakemake would do now, and why: its plan, read without its lock and without running anything.

This is the one file that knows Snakemake's own objects; they are those of the versions that `pyproject.toml` allows.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from ecglfm.config import UserError, read_yaml
from ecglfm.config.difference import Change, difference
from ecglfm.extras import need

SNAKEFILE = Path("workflow/Snakefile")


@dataclass(frozen=True)
class Reason:
    """Why a job would run; false where it would not.

    Attributes
    ----------
    missing : tuple of str
        Outputs that are not there.
    updated : tuple of str
        Inputs that are newer than the outputs and have other content.
    remade : tuple of str
        Inputs that jobs before it would make anew.
    changes : tuple of Change
        What differs between the slice of the config on the disk and the one it would be.
    others : tuple of str
        Anything else, in words.
    """

    missing: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    remade: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    others: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any((self.missing, self.updated, self.remade, self.changes, self.others))


@dataclass(frozen=True)
class Job:
    """One job of the workflow.

    Attributes
    ----------
    stage : str
        Name of the file in `workflow/rules/` that its rule is in.
    item : str
        Its wildcards: `tiny/af/full-s0`; empty where there is one job of the rule.
    outputs, inputs : tuple of str
    log : str or None
    reason : Reason
    upstream : tuple of int
        Places, in the plan, of the jobs whose outputs it reads.
    """

    rule: str
    stage: str
    item: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    log: str | None = None
    reason: Reason = Reason()
    upstream: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Stage and item."""
        return f"{self.stage} {self.item}".strip()


@dataclass(frozen=True)
class Plan:
    """Jobs in the order of the workflow's rules, and those that a target names.

    Attributes
    ----------
    results : path
        Folder of the results.
    jobs : list of Job
    asked : list of int
        Places of the jobs that the targets stand for; all jobs where no target was named.
    excluding : tuple of str
        Sources with `exclude_patients`.
    """

    results: Path
    jobs: list[Job]
    asked: list[int] = field(default_factory=list)
    excluding: tuple[str, ...] = ()


def make_plan(
    targets: Sequence[str] = (), *, configfiles: Sequence[Path] = (), config: Sequence[str] = (),
    snakefile: Path = SNAKEFILE,
) -> Plan:  # fmt: skip
    """Ask Snakemake what it would do; in the folder in which it is run.

    Parameters
    ----------
    targets : sequence of str
        Rules, files or folders of results; none: what `snakemake` alone makes.
    configfiles : sequence of path
    config : sequence of str
        As Snakemake's options of these names.
    snakefile : path

    Raises
    ------
    UserError
        This is no folder of the workflow, the config is wrong, or nothing makes a target.
    """
    if not snakefile.is_file():
        raise UserError(f"{Path.cwd()} has no {snakefile}: run this where you run snakemake, or name its file with -s")
    need("snakemake", extra="workflow", what="this command")
    for path in configfiles:
        read_yaml(path)  # it names the line of a mistake, Snakemake not even the file
    ask = partial(_ask, configfiles=configfiles, config=config, snakefile=snakefile)
    named = [_clean(target) for target in targets]
    known = all(target.isidentifier() or Path(target).suffix for target in named)  # rules and files, as Snakemake has
    if known and (plan := ask(named)) is not None:
        return plan
    whole = ask([]) or Plan(Path(), [])  # what the workflow itself asks for it can make
    files = {target: [job.outputs[0] for job in whole.jobs if _makes(job, target)] for target in named}
    if (plan := ask([one for target in named for one in files[target] or [target]])) is not None:
        return plan
    unknown = next((target for target in named if not files[target] and ask([target]) is None), named[0])
    raise UserError(
        f"{unknown}: no rule, no file that a rule makes, and no folder of results with this config: `snakemake"
        " --list-target-rules` names the rules, `ecglfm status` what is made"
    )


def _clean(target: str) -> str:
    return target.rstrip("/") if Path(target).is_absolute() or target.isidentifier() else str(Path(target))


def _makes(job: Job, target: str) -> bool:
    """Whether a target is an output of a job, a folder of them, or `STAGE/ITEM`."""
    if target in (job.name.replace(" ", "/"), job.stage):
        return True
    return any(output == target or output.startswith(f"{target}/") for output in job.outputs)


def _ask(targets: Sequence[str], *, configfiles: Sequence[Path], config: Sequence[str], snakefile: Path) -> Plan | None:
    """The plan for rules and files, None where nothing makes one of them; raises `UserError`."""
    with _without_slurm():
        from snakemake.api import SnakemakeApi
    from snakemake.exceptions import MissingRuleException, RuleException, WorkflowError
    from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings

    said = io.StringIO()
    logger = logging.getLogger("snakemake.logging")
    logger.propagate, filters = False, list(logger.filters)
    try:
        with (
            contextlib.redirect_stderr(said),
            contextlib.redirect_stdout(said),
            SnakemakeApi(OutputSettings(dryrun=True, quiet={Quietness.ALL})) as api,
        ):
            workflow_api = api.workflow(
                ResourceSettings(cores=1),
                config_settings=ConfigSettings(
                    config=parse_config(config), configfiles=[path.resolve() for path in configfiles]
                ),
                snakefile=snakefile,
            )
            workflow = workflow_api._workflow
            workflow_api.dag(DAGSettings(targets=set(targets)))
            workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True, nolock=True)
            workflow._build_dag()
            return _read(workflow, workflow.globals["PROJECT"], targets)
    except MissingRuleException:
        return None
    except (WorkflowError, RuleException, SystemExit) as error:
        text = str(error) or said.getvalue()
        raise UserError(text.strip()) from None
    finally:
        logger.filters[:] = filters  # those of the workflow would stay, with all that they know


@contextlib.contextmanager
def _without_slurm() -> Iterator[None]:
    """While Snakemake loads its Slurm plugin, which asks Slurm at once, and waits ten seconds where that hangs."""
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = os.devnull
    try:
        yield
    finally:
        os.environ.pop("SLURM_CONF")
        if before is not None:
            os.environ["SLURM_CONF"] = before


def parse_config(config: Sequence[str]) -> Mapping[str, Any]:
    """`KEY=VALUE` as Snakemake reads `--config`."""
    if not config:
        return {}
    with _without_slurm():
        from snakemake.cli import parse_config as parse

    try:
        return dict(parse(list(config)))
    except ValueError as error:
        raise UserError(f"--config: {error}; write 'section={{key: value}}'") from None


def _read(workflow: Any, project: Any, targets: Sequence[str]) -> Plan:
    """What Snakemake's graph says, in our words."""
    dag = workflow.dag
    order = {rule.name: place for place, rule in enumerate(workflow.rules)}
    theirs = [job for job in dag.jobs if job.output]
    theirs.sort(key=lambda job: (order[job.rule.name], [str(output) for output in job.output]))
    places = {id(job): place for place, job in enumerate(theirs)}
    jobs = [
        Job(
            rule=job.rule.name,
            stage=Path(str(job.rule.snakefile)).stem,
            item="/".join(map(str, job.wildcards_dict.values())),
            outputs=tuple(map(str, job.output)),
            inputs=tuple(map(str, job.input)),
            log=next(map(str, job.log), None),
            reason=_reason(dag.reason(job), job, workflow.persistence),
            upstream=tuple(sorted(places[id(before)] for before in dag.dependencies[job] if id(before) in places)),
        )
        for job in theirs
    ]
    asked = set()
    for job in dag.jobs:
        if job.rule.name in targets or any(str(output) in targets for output in job.output):
            asked |= {places[id(one)] for one in ([job] if job.output else dag.dependencies[job]) if id(one) in places}
    excluding = tuple(name for name, source in project.sources.items() if source.exclude_patients)
    return Plan(Path(project.config.results), jobs, sorted(asked) if targets else list(range(len(jobs))), excluding)


def _reason(theirs: Any, job: Any, persistence: Any) -> Reason:
    if not theirs:
        return Reason()
    changes = (
        tuple(_changes(job)) if job.rule.name == "config_slice" and (theirs.params_changed or theirs.forced) else ()
    )
    updated = theirs.updated_input - theirs.updated_input_run
    return Reason(
        missing=tuple(sorted(map(str, theirs.missing_output))),
        updated=tuple(sorted(map(str, updated))),
        remade=tuple(sorted(map(str, theirs.updated_input_run))),
        changes=changes,
        others=tuple(_others(theirs, job, persistence, told=bool(changes))),
    )


def _changes(job: Any) -> list[Change]:
    """Keys that differ between a slice on the disk, of the last run, and what it would be."""
    path = Path(str(job.output[0]))
    try:
        before = read_yaml(path)
    except (UserError, OSError):
        return []
    return difference(before, yaml.safe_load(job.params.content))


def _others(theirs: Any, job: Any, persistence: Any, *, told: bool) -> Iterator[str]:
    """Reasons that are neither files nor keys of the config."""
    if theirs.code_changed:
        yield f"the command of the rule {job.rule.name} changed: another version of the workflow"
    if theirs.input_changed:
        before = set(persistence.input(job.output[0]) or ())
        now = set(map(str, job.input))
        words = [f"no longer {name}" for name in sorted(before - now)] + [
            f"now {name}" for name in sorted(now - before)
        ]
        yield "it reads other files: " + (", ".join(words[:3]) + (" …" if len(words) > 3 else "") or "in another order")
    if theirs.params_changed and not told:
        yield (
            f"arguments of the rule {job.rule.name} changed: {_shown(theirs.params_changed.only_old)} ->"
            f" {_shown(theirs.params_changed.only_new)}"
        )
    if theirs.software_stack_changed:
        yield "the software environment of the rule changed"
    if theirs.forced and not told:
        yield "it is forced"


def _shown(values: set[Any]) -> str:
    return ", ".join(sorted(" ".join(str(value).split())[:60] for value in values)) or "(none)"
