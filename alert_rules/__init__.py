"""Sigma rules of the product, one folder a rule: ``DOMAIN/NAME/rule.yml`` and ``tests/*.hit.jsonl``, ``*.miss.jsonl`` (CONTRACT §6)."""
