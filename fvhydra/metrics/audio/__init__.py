# SPDX-License-Identifier: Apache-2.0
"""Sound, by itself and with what it should go with."""
