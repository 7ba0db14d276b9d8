"""Models: the encoder, its pretraining objective, disease heads, and how they are saved."""
