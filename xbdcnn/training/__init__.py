"""Training: batches under fresh noise, the loop, checkpoints, several processes, cost."""
