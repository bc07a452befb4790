"""Probes of frozen backbones: features computed once, and simple classifiers on them."""
