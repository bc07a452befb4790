"""Images decoded from files, archives and columns."""
