//! Training: optimiser, schedule, checkpoints.
