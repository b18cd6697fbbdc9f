"""The record store on one machine: hot days in SQLite, sealed days in Parquet, read through DuckDB (DESIGN §5)."""

from storage.embedded.store import EmbeddedStore

__all__ = ["EmbeddedStore"]
