"""What a label is: the only place that knows binary from multiclass from multilabel."""
