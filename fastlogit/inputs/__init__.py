"""What users hand in, looked at once: arrays, frames, labels, weights, offsets; opens a Design."""
