"""The record store on one machine: SQLite for the hot days, sealed Parquet behind it, read through DuckDB (DESIGN §5)."""

from storage.embedded.store import EmbeddedStore

__all__ = ["EmbeddedStore"]
