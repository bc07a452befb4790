"""One file a report: from a prediction table to figures and tables."""
