"""Notices (通知): routing, grouping, retries and a delivery log over channels; knows no domain."""
