"""Sigma rules: pySigma's tree -> our IR -> compiled Python behind a prefilter; ``naive`` is the oracle of all of it."""
