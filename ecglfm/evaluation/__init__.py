"""What a model is worth: metrics with intervals, plots, and the report that a lab reads."""
