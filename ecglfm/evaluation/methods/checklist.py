"""The items of TRIPOD+AI, shortened, and which of a run's sentences answer each.

Collins et al., TRIPOD+AI statement, BMJ 2024;385:e078378, doi:10.1136/bmj-2023-078378. The wording here is ours and
short; that of the paper decides. An item without a topic is for the authors alone.
"""

from __future__ import annotations

from typing import NamedTuple


class Item(NamedTuple):
    """One item.

    Attributes
    ----------
    number : str
        As the checklist numbers it.
    asks : str
        What it asks, in short.
    topics : tuple of str
        Headings of `document.TOPICS` whose sentences answer it as far as a run can.
    """

    number: str
    asks: str
    topics: tuple[str, ...] = ()


ITEMS = (
    Item("1", "Title: that a prediction model is developed or evaluated, for whom, and the outcome"),
    Item("2", "Abstract: as TRIPOD+AI for abstracts asks"),
    Item("3a", "Background: healthcare context, diagnostic or prognostic, rationale, existing models"),
    Item("3b", "Background: target population, purpose in the care pathway, intended users", ("Intended use",)),
    Item("3c", "Background: known health inequalities between sociodemographic groups"),
    Item("4", "Objectives: development, evaluation, or both"),
    Item("5a", "Data: sources of development and evaluation data, rationale, representativeness", ("Data sources",)),
    Item("5b", "Data: dates of accrual and of the end of follow-up"),
    Item("6a", "Participants: setting, number and location of centres"),
    Item("6b", "Participants: eligibility criteria", ("Omitted records",)),
    Item("6c", "Participants: treatments received, and how they were handled"),
    Item("7", "Data preparation: pre-processing and quality checks", ("Preprocessing",)),
    Item("8a", "Outcome: definition, time horizon, how and when assessed, rationale", ("Labels",)),
    Item("8b", "Outcome: who assessed it, where that is subjective"),
    Item("8c", "Outcome: blinding of its assessment"),
    Item("9a", "Predictors: choice of initial predictors and pre-selection"),
    Item("9b", "Predictors: definition, how and when measured", ("Encoder",)),
    Item("9c", "Predictors: who assessed them, where that is subjective"),
    Item(
        "10", "Sample size: how it was arrived at, and that it suffices", ("Records by split", "Records of each model")
    ),
    Item("11", "Missing data: how handled, reasons for omitting data", ("Preprocessing", "Omitted records")),
    Item("12a", "Analysis: how data were used, and partitioned", ("Splits", "Leakage")),
    Item(
        "12b", "Analysis: how predictors were handled: functional form, rescaling, transformation", ("Preprocessing",)
    ),
    Item(
        "12c",
        "Analysis: type of model, all steps of building it, tuning, internal validation",
        ("Encoder", "Pretraining", "Fine-tuning"),
    ),
    Item("12d", "Analysis: heterogeneity between clusters (hospitals, countries)"),
    Item("12e", "Analysis: measures and plots of performance", ("Evaluation",)),
    Item("12f", "Analysis: model updating, such as recalibration"),
    Item("12g", "Analysis: how predictions were calculated in evaluation", ("Software",)),
    Item("13", "Class imbalance: methods, why and how, and recalibration after them", ("Class imbalance",)),
    Item("14", "Fairness: approaches that were used"),
    Item("15", "Model output: probabilities or classes, and how thresholds were found", ("Thresholds",)),
    Item("16", "Training versus evaluation: differences between the data", ("Splits", "External validation")),
    Item("17", "Ethical approval and informed consent"),
    Item("18a", "Open science: funding"),
    Item("18b", "Open science: conflicts of interest"),
    Item("18c", "Open science: protocol"),
    Item("18d", "Open science: registration"),
    Item("18e", "Open science: availability of the data", ("Licences",)),
    Item("18f", "Open science: availability of the code", ("Software",)),
    Item("19", "Patient and public involvement"),
    Item("20a", "Participants: flow, numbers with and without the outcome", ("Omitted records", "Positives")),
    Item("20b", "Participants: characteristics, by data source", ("Records by split",)),
    Item("20c", "Participants: evaluation data beside development data", ("Records by split",)),
    Item("21", "Model development: participants and events in each analysis", ("Records of each model", "Positives")),
    Item("22", "Model specification: all that others need to use and evaluate it", ("Software",)),
    Item("23a", "Performance: estimates with intervals, also of subgroups", ("Results", "Subgroups")),
    Item("23b", "Performance: heterogeneity between clusters", ("External validation",)),
    Item("24", "Model updating: results"),
    Item("25", "Interpretation: of the main results, with fairness, beside other studies"),
    Item("26", "Limitations and their effects"),
    Item("27a", "Usability: poor or missing input", ("Preprocessing",)),
    Item("27b", "Usability: what users must do, and their expertise"),
    Item("27c", "Usability: next steps of research"),
)
