# SPDX-License-Identifier: Apache-2.0
"""Where references live: versioned trees of files with atomic commits."""
