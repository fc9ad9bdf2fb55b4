# SPDX-License-Identifier: Apache-2.0
"""``launcher=modal``: every job in a container of its own on Modal, on the GPU that ``gpu=`` names.

``container.py`` is what runs there; everything else runs here.
"""
