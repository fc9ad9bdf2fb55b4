# SPDX-License-Identifier: Apache-2.0
"""What every other package speaks of: cases, artifacts, runs, verdicts, errors, files."""
