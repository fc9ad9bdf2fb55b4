"""Where references live: versioned trees of files with atomic commits."""
