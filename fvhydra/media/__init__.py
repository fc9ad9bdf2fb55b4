# SPDX-License-Identifier: Apache-2.0
"""Reading and writing video, audio and latent bundles."""
