"""A constant-velocity Kalman filter for many boxes at once, in seconds.

Each of the four numbers of a box (centre x, centre y, width, height) is filtered on its own, with the white-noise
acceleration model (Bar-Shalom, Li, Kirubarajan, Estimation with Applications to Tracking and Navigation, 6.3.2), so
that the covariance of each is three numbers and no matrix need be inverted. Noise scales with the height of the box,
because so do metres on the picture.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from vision.geometry import FloatArray

#: Spread of the acceleration per second squared and of a measurement, in heights of the box, for (x, y, width, height).
ACCELERATION: Final = np.array([2.0, 2.0, 0.15, 0.15])
MEASUREMENT: Final = np.array([0.03, 0.035, 0.04, 0.04])
#: Spread of an unknown velocity at the start, in heights per second. A walker makes about one a second. (These numbers
#: were chosen on real footage among 148 sets: less trust in the motion and more in the boxes was better throughout.)
FIRST_VELOCITY: Final = np.array([2.0, 1.2, 0.2, 0.2])
#: The three, as the compiled part takes them.
NOISE: Final = np.stack([ACCELERATION, MEASUREMENT, FIRST_VELOCITY])


def to_measurements(xyxy: FloatArray) -> FloatArray:
    """(N, 4) corners -> (N, 4) centre x, centre y, width, height."""
    out = np.empty_like(xyxy)
    np.subtract(xyxy[:, 2:], xyxy[:, :2], out=out[:, 2:])
    np.add(xyxy[:, :2], out[:, 2:] / 2, out=out[:, :2])
    return out


def to_boxes(mean: FloatArray) -> FloatArray:
    """(N, 4, 2) states -> (N, 4) corners."""
    centre, half = mean[:, :2, 0], np.maximum(mean[:, 2:, 0], 1.0) / 2
    out = np.empty((len(mean), 4))
    np.subtract(centre, half, out=out[:, :2])
    np.add(centre, half, out=out[:, 2:])
    return out


def start(measured: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean (N, 4, 2: value, rate) and covariance (N, 4, 3: value, value-rate, rate) of new boxes (N, 4)."""
    height = np.maximum(measured[:, 3:4], 1.0)
    mean = np.stack([measured, np.zeros_like(measured)], axis=2)
    covariance = np.stack(
        [(MEASUREMENT * height) ** 2, np.zeros_like(measured), (FIRST_VELOCITY * height) ** 2], axis=2
    )
    return mean, covariance


def predict(mean: FloatArray, covariance: FloatArray, dt_s: float) -> tuple[FloatArray, FloatArray]:
    """States `dt_s` seconds later."""
    height = np.maximum(mean[:, 3:4, 0], 1.0)
    q = (ACCELERATION * height) ** 2
    value, cross, rate = covariance[..., 0], covariance[..., 1], covariance[..., 2]
    moved, grown = mean.copy(), np.empty_like(covariance)
    moved[..., 0] += dt_s * mean[..., 1]
    grown[..., 0] = value + 2 * dt_s * cross + dt_s**2 * rate + q * dt_s**4 / 4
    grown[..., 1] = cross + dt_s * rate + q * dt_s**3 / 2
    grown[..., 2] = rate + q * dt_s**2
    return moved, grown


def stopped(mean: FloatArray, since_s: FloatArray, within_s: float) -> FloatArray:
    """States (N, 4, 2) as they would be had each begun to stop `since_s` (N,) ago, its speed falling to 1/e in `within_s`."""
    too_far_s = since_s - within_s * (1 - np.exp(-since_s / within_s))
    back = mean.copy()
    back[..., 0] -= too_far_s[:, None] * mean[..., 1]
    return back


def correct(
    mean: FloatArray, covariance: FloatArray, measured: FloatArray, confidence: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """States after measurements (N, 4) with confidence (N,).

    A box that the detector hardly believes in is measured worse: the spread grows by (2 - confidence), after the idea
    of NSA Kalman in GIAOTracker (Du et al., ICCV workshops 2021), milder.
    """
    height = np.maximum(mean[:, 3:4, 0], 1.0)
    r = (MEASUREMENT * height * (2 - confidence[:, None])) ** 2
    value, cross, rate = covariance[..., 0], covariance[..., 1], covariance[..., 2]
    gain_value, gain_rate = value / (value + r), cross / (value + r)
    residual = measured - mean[..., 0]
    corrected, shrunk = np.empty_like(mean), np.empty_like(covariance)
    corrected[..., 0] = mean[..., 0] + gain_value * residual
    corrected[..., 1] = mean[..., 1] + gain_rate * residual
    shrunk[..., 0] = (1 - gain_value) * value
    shrunk[..., 1] = (1 - gain_value) * cross
    shrunk[..., 2] = rate - gain_rate * cross
    return corrected, shrunk
