"""The methods: how a batch becomes a loss, one file each."""
