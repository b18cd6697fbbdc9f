"""Sigma rules: ``DOMAIN/NAME/rule.yml`` with ``tests/*.hit.jsonl`` and ``*.miss.jsonl`` (CONTRACT §6)."""
