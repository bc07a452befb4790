"""One file a data source: each reads its layout into a SourceData."""
