"""One look for PDF, XLSX and CSV; knows no domain."""
