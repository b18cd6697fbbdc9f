"""Yunwang 云网: the composition root. Imports all packages; no package imports it."""

__version__ = "0.1.0"
