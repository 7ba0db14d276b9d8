"""What people start by hand and look at, above all stages of the pipeline."""
