"""One data model (``core.result``), three renderers: HTML, JUnit XML, Markdown."""
