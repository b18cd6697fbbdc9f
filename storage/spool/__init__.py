"""The spool (缓冲队列): what was collected waits here, in order, until it is judged; format in docs/storage.md."""

from storage.spool.identity import event_id
from storage.spool.reader import Scan, SpoolCorruptError, SpoolReader
from storage.spool.writer import SpoolFullError, SpoolWriter

__all__ = ["Scan", "SpoolCorruptError", "SpoolFullError", "SpoolReader", "SpoolWriter", "event_id"]
