"""Batches: datasets, samplers, loaders and the datamodule."""
