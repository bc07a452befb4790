"""Decoded images and digests cached on disk."""
