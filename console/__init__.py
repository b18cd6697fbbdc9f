"""Web console and API (控制台): server-rendered pages, one table, one chart, one way of refusing."""
