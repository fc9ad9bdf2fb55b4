# SPDX-License-Identifier: Apache-2.0
"""The contracts as test classes, for choices from anywhere: subclass one in a test module of yours.

``engines.EngineContract``, ``stores.StoreContract``, ``launchers.LauncherContract`` and ``metrics.MetricContract`` hold
what they are given to the promises that ``fvhydra/engines/base.py``, ``stores/base.py``, ``launch/base.py`` and
``metrics/base.py`` make. They need pytest.
"""

import pytest

_WITH_ASSERTIONS = ("engines", "launchers", "metrics", "scores", "store_kills", "store_races", "stores")

pytest.register_assert_rewrite(*(f"fvhydra.testing.{name}" for name in _WITH_ASSERTIONS))
