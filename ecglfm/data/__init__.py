"""From raw recordings to labelled, split, model-ready signals; every drop is in a ledger."""
