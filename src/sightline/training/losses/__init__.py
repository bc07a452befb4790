"""The losses, each named by a file of `conf/loss`.

Each takes what the label mode's `loss_inputs` returns, and is refused where it does not apply.
"""
