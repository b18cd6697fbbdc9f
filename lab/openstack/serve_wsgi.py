"""Serve one OpenStack WSGI module with waitress; runs inside the servers' own environment: ``serve_wsgi.py MODULE PORT``."""

import importlib
import sys

from waitress import serve

module, port = sys.argv[1], int(sys.argv[2])
sys.argv = [module]  # keystone's module reads sys.argv on import
serve(importlib.import_module(module).application, host="127.0.0.1", port=port, threads=6)
