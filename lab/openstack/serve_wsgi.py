"""Serve one OpenStack WSGI module with waitress, inside the servers' own environment: ``serve_wsgi.py MODULE PORT``."""

import importlib
import sys

from waitress import serve  # type: ignore[import-untyped]  # lives in the servers' environment only

module, port = sys.argv[1], int(sys.argv[2])
sys.argv = [module]  # keystone's module reads sys.argv on import
serve(importlib.import_module(module).application, host="127.0.0.1", port=port, threads=6)
