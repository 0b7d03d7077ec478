"""Scikit-learn's classes, thin over `fitting`: parameters, folds, scores, callbacks."""
