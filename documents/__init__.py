"""One look for PDF, DOCX, XLSX and CSV; knows no domain."""
