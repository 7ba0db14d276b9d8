# console: what a run shows while it goes on. A command per job and how many are done; errors in full.
# Requires: Snakemake's own handler, which it names DefaultStreamHandler.
# Makes: nothing. Everything else is in the file that Snakemake names at its end, as are the jobs that copy a slice of
# the config; `--verbose` shows all of it, and so does `-n`.

import logging

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


def shorten_console():
    """Once a run starts: not for `-n`, which is asked for the paragraphs."""
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler" and not workflow.output_settings.verbose:
            handler.addFilter(Brief())
