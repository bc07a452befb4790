"""The config: types, composition, and the components that it names."""
