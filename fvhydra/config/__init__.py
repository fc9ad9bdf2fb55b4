# SPDX-License-Identifier: Apache-2.0
"""The schema of the configuration: one module for each config group, pydantic dataclasses throughout.

The same dataclass is the Hydra structured config (types are checked while composing), the validated object that ops,
engines and stores receive, and the documentation that ``fvhydra --help`` and ``docs/configuration.md`` print.
"""
