"""Finding what could fail an hour into a training, before it starts."""
