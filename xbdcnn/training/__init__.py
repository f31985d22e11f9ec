"""Training: noisy batches, the training loop, checkpoints, distributed processes, cost."""
