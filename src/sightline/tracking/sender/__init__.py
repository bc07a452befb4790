"""The process that uploads a journal, and its client in the training."""
