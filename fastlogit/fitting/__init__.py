"""The functions that fit: one model, folds times penalties, a path, a stream seen once."""
