# SPDX-License-Identifier: Apache-2.0
"""Optical flow: how one field differs from another, and the field that a camera's motion should give.

The measures are those of FastVideo's evaluation, for world models. A field is real ``[H, W, 2]``: u to the right and v
down, in pixels a frame.
"""
