# SPDX-License-Identifier: Apache-2.0
"""How good clips are: scores of one clip, of a clip and its reference, or of two sets of clips."""
