"""Networks and the preprocessing that belongs to them."""
