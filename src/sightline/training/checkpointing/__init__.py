"""Checkpoint files: written atomically, kept, resumed from."""
