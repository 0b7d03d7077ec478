"""Estimates with less bias than maximum likelihood, which exist where that has none."""
