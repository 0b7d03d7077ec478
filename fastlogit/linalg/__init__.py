"""Factors of Hessians, and the part of them that the data identify."""
