"""Reports of predictions: figures, tables, galleries and the HTML page that shows them."""
