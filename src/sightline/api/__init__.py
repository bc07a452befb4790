"""The Python interface: what `import sightline` offers."""
