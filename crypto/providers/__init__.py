"""Providers by capability: who computes what, in which order, after which self-test."""
