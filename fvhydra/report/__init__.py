# SPDX-License-Identifier: Apache-2.0
"""One data model (``core.result``), three renderers: HTML, JUnit XML, Markdown."""
