"""Train, val and test: seeded, stratified, group-aware."""
