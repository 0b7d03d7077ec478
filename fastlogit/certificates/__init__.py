"""Proven bounds on what a point's cost lacks, and whether there is an optimum at all."""
