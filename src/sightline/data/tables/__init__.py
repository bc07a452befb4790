"""Tables of labels, and data sets made from them."""
