# console: what a run shows: before it goes on, which finished results it replaces; then a command per job and how many
# are done, and how far long trainings are; errors in full.
# Requires: Snakemake's own handler, which it names DefaultStreamHandler.
# Makes: nothing. Everything else is in the file that Snakemake names at its end, as are the jobs that copy a slice of
# the config; `--verbose` shows all of it, and so does `-n`.

import logging
import threading
import time

from ecglfm.config.made_with import earlier
from ecglfm.config.replacement import Planned, replacements
from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent


class Brief(logging.Filter):
    """Keep what a person follows; a job's paragraph and its end are left out, and all of a job of config_slice."""

    def __init__(self):
        super().__init__()
        self.slices = set()
        self.last = None  # job that the records now are of

    def filter(self, record):
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_INFO:
            self.last = record.jobid
            if record.rule_name == "config_slice":
                self.slices.add(record.jobid)
        elif event == LogEvent.JOB_FINISHED:
            self.last = record.job_id
        if event in (LogEvent.SHELLCMD, LogEvent.PROGRESS):
            return self.last not in self.slices
        return (
            event not in (LogEvent.JOB_INFO, LogEvent.JOB_FINISHED, LogEvent.JOB_STARTED)
            and record.getMessage() != "Select jobs to execute..."
        )


class Replacements(logging.Filter):
    """Before the first job, also of `-n`, say which finished results are about to be replaced, and why."""

    RESULTS = ("pretrain_encoder", "finetune_model", "evaluate_model")

    def filter(self, record):
        if getattr(record, "event", None) == LogEvent.RUN_INFO and self in logger.filters:
            logger.removeFilter(self)
            if said := earlier(Path(PROJECT.config.results)):
                logger.warning(said)
            for line in replacements(self.planned(), SLICES, Path(PROJECT.config.results, "config")):
                logger.warning(line)
        return True

    def planned(self):
        """Jobs whose outputs are all there, in the order of their rules."""
        dag, planned = workflow.dag, []
        folders = {
            job: str(Path(job.output[0]).parent)
            for job in dag.needrun_jobs()
            if job.rule.name in self.RESULTS and all(Path(path).exists() for path in job.output)
        }
        for job, folder in sorted(folders.items(), key=lambda one: (self.RESULTS.index(one[0].rule.name), one[1])):
            upstream = [other for other in dag.bfs(dag.dependencies, job, stop=dag.noneedrun_finished) if other != job]
            slices = sorted(other.wildcards.slice for other in upstream if other.rule.name == "config_slice")
            made_from = [folders[other] for other in upstream if other in folders]
            planned.append(Planned(folder, slices, made_from, str(dag.reason(job)).split(":")[0]))
        return planned


class Commands(logging.Filter):
    """Where nothing is run, as for `all`, Snakemake says "Shell command: None": there is none to say."""

    def filter(self, record):
        return getattr(record, "event", None) != LogEvent.SHELLCMD or record.shellcmd is not None


logger.addFilter(Replacements())
logger.addFilter(Commands())


def shorten_console():
    """Once a run starts: not for `-n`, which is asked for the paragraphs."""
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler" and not workflow.output_settings.verbose:
            handler.addFilter(Brief())


def tell_progress():
    """Once a run starts: a line now and then of each long training, here or on a cluster, out of its progress.json."""
    from ecglfm.app.follow import Teller  # not needed to plan

    teller = Teller(Path(PROJECT.config.results), time.time())
    threading.Thread(target=teller.run, args=[logger.info], daemon=True).start()
