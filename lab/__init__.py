"""The province on one machine (实验室): simulator, story and truth for demo and tests."""
