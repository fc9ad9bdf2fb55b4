# SPDX-License-Identifier: Apache-2.0
"""The Fréchet distance between two sets of features: FVD over videos, FAD over audio.

    |m_a - m_b|^2 + tr(S_a) + tr(S_b) - 2 tr((S_a S_b)^(1/2))

the squared 2-Wasserstein distance of two Gaussians (Dowson and Landau 1982; Heusel et al. 2017 for images, Unterthiner
et al. 2018 for videos). The usual programs take the matrix square root, which is complex for rank-deficient sets and
needs an epsilon that moves the result. Here S = F^T F / (n - 1), with F the centred features or any factor of the same
product, and

    tr((S_a S_b)^(1/2)) = |F_a F_b^T|_* / sqrt((n_a - 1) (n_b - 1))

a sum of singular values: real, exact for fewer samples than features, and no larger than the smaller of the two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]

PEER_RIDGE = 1e-6
"""What FastVideo's evaluation adds to the diagonal of both covariances."""

_TOLERANCE = 1e-10
"""Of the distance, relative: where the fast way may be further off, the singular values are computed."""


class FeatureSet:
    """Count, mean and covariance of a set of features, in a form that grows, merges and can be stored.

    The state is a matrix of rows ``(weight, features)`` of which only the product ``rows^T rows`` counts: at first each
    sample with the weight 1; beyond ``2 D`` rows the triangular factor of the same product, of ``D + 1``. Merging is
    stacking, so the order of shards does not matter, and no covariance is formed: its square root would cost half of
    the digits of the small directions, which is all there is when there are fewer samples than features.

    Args:
        width: D, features a sample.
        count: Samples in ``rows``.
        rows: float64 ``[K, D + 1]``, from another set's ``rows``.

    Raises:
        ValueError: ``rows`` is of another width.
    """

    def __init__(self, width: int, count: int = 0, rows: Rows | None = None) -> None:
        self.width = width
        self.count = count
        self._blocks = [np.empty((0, width + 1)) if rows is None else rows]
        if self._blocks[0].shape[1:] != (width + 1,):
            raise ValueError(f"a state of {width} features has rows of {width + 1}, not {list(self._blocks[0].shape)}")

    @property
    def rows(self) -> Rows:
        """The state: float64 ``[K, D + 1]``, ``K <= 2 D``, or fewer samples than that."""
        self._blocks = [np.concatenate(self._blocks)]
        return self._blocks[0]

    @property
    def mean(self) -> NDArray[np.float64]:
        """float64 ``[D]``; NaN for an empty set."""
        weights, features = self.rows[:, 0], self.rows[:, 1:]
        return np.asarray(weights @ features / self.count if self.count else np.full(self.width, np.nan))

    def update(self, features: NDArray[np.floating]) -> None:
        """Add samples: real ``[N, D]``, any N.

        Raises:
            ValueError: Another shape, or values that are not finite (see :func:`finite_rows`).
        """
        if features.ndim != 2 or features.shape[1] != self.width:
            raise ValueError(f"features must be [N, {self.width}], not {list(features.shape)}")
        if not np.isfinite(features).all():
            raise ValueError("features must be finite: one NaN would make the whole set NaN")
        self._append(np.insert(features.astype(np.float64), 0, 1, axis=1), len(features))

    def merge(self, other: FeatureSet) -> None:
        """Add another set's samples.

        Raises:
            ValueError: The sets have different features.
        """
        if other.width != self.width:
            raise ValueError(f"a set of {other.width} features cannot be merged into one of {self.width}")
        self._append(other.rows, other.count)

    def factor(self) -> Rows:
        """F with ``F^T F`` the covariance (of divisor ``n - 1``): float64 ``[K, D]``, ``K <= D``.

        Raises:
            ValueError: Fewer than two samples, which have no covariance.
        """
        if self.count < 2:
            raise ValueError(f"a covariance needs two samples, not {self.count}")
        weights, features = self.rows[:, 0], self.rows[:, 1:]
        # the first reflection of a QR: it turns the weights, and with them the mean, into one row, which is left out
        mirror = weights.copy()
        mirror[0] += math.copysign(math.sqrt(self.count), mirror[0])
        centred = (features - np.outer(mirror, 2 / (mirror @ mirror) * (mirror @ features)))[1:]
        if len(centred) > self.width:
            centred = _triangle(centred)
        return np.asarray(centred / math.sqrt(self.count - 1))

    def _append(self, rows: Rows, count: int) -> None:
        self.count += count
        self._blocks.append(rows)
        if sum(map(len, self._blocks)) > 2 * self.width:
            self._blocks = [_triangle(self.rows)]


def frechet_distance(generated: FeatureSet, reference: FeatureSet, ridge: float = 0.0) -> float:
    """Fréchet distance of two sets, symmetric; 0 or more, lower is better, in squared units of the features.

    Args:
        generated: At least two samples.
        reference: At least two samples with the same features.
        ridge: Added to the diagonal of both covariances; :data:`PEER_RIDGE` for FastVideo's numbers, which differ where
            there are fewer samples than features. It costs a factorisation of D x D.

    Raises:
        ValueError: Different features, or fewer than two samples.

    Example:
        >>> features = np.random.default_rng(0).normal(size=(50, 4))
        >>> one, other = FeatureSet(4), FeatureSet(4)
        >>> one.update(features)
        >>> other.update(features + 2)
        >>> round(frechet_distance(one, one), 9), round(frechet_distance(one, other), 9)
        (0.0, 16.0)
    """
    if generated.width != reference.width:
        raise ValueError(f"the sets have different features: {generated.width} and {reference.width}")
    factors = [_ridged(features.factor(), ridge) for features in (generated, reference)]
    shift = generated.mean - reference.mean
    apart = float(shift @ shift) + sum(float(np.vdot(factor, factor)) for factor in factors)
    product = factors[0] @ factors[1].T
    # of many samples the least directions are tiny, and the fast way would be tried in vain
    few = 2 * min(product.shape) <= generated.width
    overlap, error = _nuclear_norm(product) if few else (0.0, math.inf)
    if error > _TOLERANCE * (apart - 2 * overlap):
        overlap = float(np.linalg.svd(product, compute_uv=False).sum())
    return max(apart - 2 * overlap, 0.0)  # equal sets may come out at -1e-14


def finite_rows(features: NDArray[np.floating]) -> tuple[NDArray[np.floating], int]:
    """The samples of ``[N, D]`` that are finite, and how many are not: silence gives NaN features in FAD.

    Example:
        >>> rows, dropped = finite_rows(np.array([[1.0, 2.0], [np.nan, 0.0]]))
        >>> rows.tolist(), dropped
        ([[1.0, 2.0]], 1)
    """
    finite = np.isfinite(features).all(axis=1)
    return features[finite], int(len(features) - finite.sum())


def merged(sets: Iterable[FeatureSet]) -> FeatureSet:
    """A new set with the samples of all sets.

    Raises:
        ValueError: No sets, or sets of different features.

    Example:
        >>> parts = [FeatureSet(2, 1, np.array([[1.0, 0.0, count]])) for count in (1.0, 3.0)]
        >>> total = merged(parts)
        >>> total.count, total.mean.tolist()
        (2, [0.0, 2.0])
    """
    first, *others = sets
    total = FeatureSet(first.width, first.count, first.rows)
    for other in others:
        total.merge(other)
    return total


def _ridged(factor: Rows, ridge: float) -> Rows:
    """A factor of ``factor^T factor + ridge I``."""
    if not ridge:
        return factor
    return _triangle(np.concatenate([factor, math.sqrt(ridge) * np.eye(factor.shape[1])]))


def _nuclear_norm(matrix: Rows) -> tuple[float, float]:
    """The sum of singular values and how far it may be off, in less than half the time of an SVD.

    From the eigenvalues of the smaller Gram matrix, each right to the rounding of the largest: bad for small ones.
    """
    gram = matrix @ matrix.T if len(matrix) < matrix.shape[1] else matrix.T @ matrix
    eigenvalues = np.maximum(np.linalg.eigvalsh(gram), 0)
    uncertain = float(8 * np.finfo(np.float64).eps * eigenvalues[-1])
    values = np.sqrt(eigenvalues)
    return float(values.sum()), float((uncertain / (values + math.sqrt(uncertain) + np.finfo(float).tiny)).sum())


def _triangle(rows: Rows) -> Rows:
    """R, of no more rows than columns, with ``R^T R = rows^T rows``."""
    return np.asarray(np.linalg.qr(rows, mode="r"), np.float64)
