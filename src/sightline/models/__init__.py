"""Networks with their preprocessing."""
