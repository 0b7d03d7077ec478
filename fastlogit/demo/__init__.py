"""The demonstration: logistic regression on real data, with its numbers and pictures.

Each study is a module with a pair of functions: one computes and returns a plain record, which
tests can check, the other draws that record. Accuracies and log-losses are of rows that the fit has
not seen.
"""
