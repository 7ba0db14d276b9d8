"""DeepSpeed engine, checkpoints, pretraining, fine-tuning."""
