# cython: language_level=3, cdivision=True
"""A row of `vision.tracking.rows`, and what the filter of `vision.tracking.kalman` does to one. Only for this package.

The order of the steps in each formula is that of NumPy there.
"""
cimport numpy as cnp

from vision.native.given cimport most

#: As `ROW` in `vision.tracking.rows`.
cdef struct Row:
    cnp.npy_int64 track_id
    cnp.npy_int64 group
    cnp.npy_int64 class_id
    cnp.npy_int64 hits
    double first_seen_s
    double last_seen_s
    double confidence
    double peak
    cnp.npy_int64[3] voted
    double[3] votes
    double[4][2] mean
    double[4][3] covariance
    cnp.npy_bool confirmed

#: Acceleration, measurement and first velocity, as `NOISE` in `vision.tracking.kalman`.
cdef struct Noise:
    double[4] acceleration
    double[4] measurement
    double[4] first_velocity


cdef inline void to_measurement(const double* box, double* out) noexcept nogil:
    """Corners -> centre x, centre y, width, height."""
    out[2], out[3] = box[2] - box[0], box[3] - box[1]
    out[0], out[1] = box[0] + out[2] / 2, box[1] + out[3] / 2


cdef inline void to_box(const Row* row, double stopped_s, double* out) noexcept nogil:
    """Corners of where the object is, had it been moving for `stopped_s` less."""
    cdef double half_width = most(row.mean[2][0] - stopped_s * row.mean[2][1], 1.0) / 2
    cdef double half_height = most(row.mean[3][0] - stopped_s * row.mean[3][1], 1.0) / 2
    cdef double x = row.mean[0][0] - stopped_s * row.mean[0][1], y = row.mean[1][0] - stopped_s * row.mean[1][1]
    out[0], out[1], out[2], out[3] = x - half_width, y - half_height, x + half_width, y + half_height


cdef inline void start(Row* row, const double* measured, const Noise* noise) noexcept nogil:
    cdef double height = most(measured[3], 1.0)
    cdef int n
    for n in range(4):
        row.mean[n][0], row.mean[n][1] = measured[n], 0.0
        row.covariance[n][0] = (noise.measurement[n] * height) * (noise.measurement[n] * height)
        row.covariance[n][1] = 0.0
        row.covariance[n][2] = (noise.first_velocity[n] * height) * (noise.first_velocity[n] * height)


cdef inline void predict(Row* row, const double* powers, const Noise* noise) noexcept nogil:
    """`powers`: the seconds that passed, to the power of 0, 1, 2, 3 and 4."""
    cdef double height = most(row.mean[3][0], 1.0), value, cross, rate, q
    cdef double dt = powers[1], dt2 = powers[2], dt3 = powers[3], dt4 = powers[4]
    cdef int n
    for n in range(4):
        q = (noise.acceleration[n] * height) * (noise.acceleration[n] * height)
        value, cross, rate = row.covariance[n][0], row.covariance[n][1], row.covariance[n][2]
        row.mean[n][0] += dt * row.mean[n][1]
        row.covariance[n][0] = value + 2 * dt * cross + dt2 * rate + q * dt4 / 4
        row.covariance[n][1] = cross + dt * rate + q * dt3 / 2
        row.covariance[n][2] = rate + q * dt2


cdef inline void correct(Row* row, const double* measured, double confidence, const Noise* noise) noexcept nogil:
    cdef double height = most(row.mean[3][0], 1.0), value, cross, r, gain_value, gain_rate, residual
    cdef int n
    for n in range(4):
        r = noise.measurement[n] * height * (2 - confidence)
        r = r * r
        value, cross = row.covariance[n][0], row.covariance[n][1]
        gain_value, gain_rate = value / (value + r), cross / (value + r)
        residual = measured[n] - row.mean[n][0]
        row.mean[n][0] = row.mean[n][0] + gain_value * residual
        row.mean[n][1] = row.mean[n][1] + gain_rate * residual
        row.covariance[n][0] = (1 - gain_value) * value
        row.covariance[n][1] = (1 - gain_value) * cross
        row.covariance[n][2] = row.covariance[n][2] - gain_rate * cross


cdef inline void vote(Row* row, cnp.npy_int64 class_id, double weight) noexcept nogil:
    """It was taken for `class_id`: the class is the one with the most votes; of as many, the lesser one."""
    cdef int n, best = 0
    for n in range(3):
        if row.voted[n] == class_id or row.voted[n] < 0:
            row.voted[n] = class_id
            row.votes[n] += weight
            break
    for n in range(1, 3):
        if row.voted[n] >= 0 and (
            row.votes[n] > row.votes[best] or row.votes[n] == row.votes[best] and row.voted[n] < row.voted[best]
        ):
            best = n
    row.class_id = row.voted[best]
