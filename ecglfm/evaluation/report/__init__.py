"""Pages for people: the report, the summary of the data, the comparison page and the cards of models.

And what they read off the results, for whoever writes about a run in another form.
"""

from __future__ import annotations

from ecglfm.evaluation.report.analysis_pages import run_analysis_page
from ecglfm.evaluation.report.card import run_card
from ecglfm.evaluation.report.comparison_page import run_comparison_page
from ecglfm.evaluation.report.data_sections import ledger_rows, read_if_there
from ecglfm.evaluation.report.disclosure import UNSAID, description_of, fitted_to, threshold_rule, told, untold
from ecglfm.evaluation.report.model_sections import FittedModel, parse_model
from ecglfm.evaluation.report.pages import environment, link, report_of
from ecglfm.evaluation.report.report import run_report
from ecglfm.evaluation.report.summary import run_summary
from ecglfm.evaluation.report.transport_page import run_transport_page

__all__ = [
    "UNSAID",
    "FittedModel",
    "description_of",
    "environment",
    "fitted_to",
    "ledger_rows",
    "link",
    "parse_model",
    "read_if_there",
    "report_of",
    "run_analysis_page",
    "run_card",
    "run_comparison_page",
    "run_report",
    "run_summary",
    "run_transport_page",
    "threshold_rule",
    "told",
    "untold",
]
