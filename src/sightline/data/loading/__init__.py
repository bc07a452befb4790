"""Batches: datasets, samplers, transforms and the datamodule."""
