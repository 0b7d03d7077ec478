"""Fits over dask collections: partitions stay in their workers, passes are rounds of tasks."""

from .fitting import fit

__all__ = ["fit"]
