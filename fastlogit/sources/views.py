"""Texts that Arrow keeps as views, as polars hands them out: pyarrow filters none of them."""

from __future__ import annotations

from .library import Foreign, arrow

__all__ = ["has_views", "without_views"]


def has_views(schema: Foreign) -> bool:
    """Say whether a column is of views, or a dictionary of such."""
    return any(_plain(field.type) != field.type for field in schema)


def without_views(table: Foreign) -> Foreign:
    """Return a Table or RecordBatch whose views are plain arrays of text or bytes."""
    if not has_views(table.schema):
        return table
    fields = [field.with_type(_plain(field.type)) for field in table.schema]
    columns = [
        column if column.type == field.type else column.cast(field.type)
        for column, field in zip(table.columns, fields, strict=True)
    ]
    return type(table).from_arrays(columns, schema=arrow().schema(fields))


def _plain(kind: Foreign) -> Foreign:
    pa, types = arrow(), arrow().types
    if types.is_dictionary(kind):
        value = _plain(kind.value_type)
        same = value == kind.value_type
        return kind if same else pa.dictionary(kind.index_type, value, kind.ordered)
    if getattr(types, "is_string_view", lambda _: False)(kind):
        return pa.large_string()
    if getattr(types, "is_binary_view", lambda _: False)(kind):
        return pa.large_binary()
    return kind
