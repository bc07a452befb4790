"""Inference: loading a checkpoint, predicting images, and exporting models."""
