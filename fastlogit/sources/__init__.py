"""Rows in files and tables that need not fit in memory: Parquet, Arrow, polars, DuckDB."""
