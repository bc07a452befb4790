"""Kinds of label: binary, multiclass and multilabel, known to this package alone."""
