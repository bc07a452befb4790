"""Helpers of the tests: commands, data, servers, clusters."""
