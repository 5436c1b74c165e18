# cython: language_level=3
"""Means of bytes beside each other, as OpenCV rounds them. Only for this package."""
from libc.stdint cimport uint8_t

from vision.native cimport processors

cdef extern from *:
    """
    #include <math.h>
    #include <stdint.h>

    /* `count` means of two by two of two rows, a half upwards. */
    FOR_EACH_PROCESSOR
    static void halve(const uint8_t *restrict a, const uint8_t *restrict b, uint8_t *restrict out, long count) {
        for (long n = 0; n < count; n++)
            out[n] = (uint8_t)((a[2 * n] + a[2 * n + 1] + b[2 * n] + b[2 * n + 1] + 2) >> 2);
    }

    /* `count` means of `step` beside each other, a half to the even number. */
    FOR_EACH_PROCESSOR
    static void gather(const uint8_t *restrict given, uint8_t *restrict out, long count, long step) {
        const float share = 1.0f / (float)step;
        if (step == 4) {
            for (long n = 0; n < count; n++) {
                unsigned sum = given[4 * n] + given[4 * n + 1] + given[4 * n + 2] + given[4 * n + 3];
                out[n] = (uint8_t)((sum + 1 + ((sum >> 2) & 1)) >> 2);
            }
            return;
        }
        for (long n = 0; n < count; n++) {
            unsigned sum = 0;
            for (long m = 0; m < step; m++)
                sum += given[step * n + m];
            out[n] = (uint8_t)rintf((float)sum * share);
        }
    }
    """
    void halve(const uint8_t* a, const uint8_t* b, uint8_t* out, long count) nogil
    void gather(const uint8_t* given, uint8_t* out, long count, long step) nogil


cdef inline bint divides(Py_ssize_t height, Py_ssize_t width, Py_ssize_t step) noexcept nogil:
    """Whether blocks twice `step` wide and high fill the picture as OpenCV fills it with them."""
    return (
        step >= 1
        and width >= 2 * step
        and width % (2 * step) == 0
        and height >= 2 * step
        and height // (2 * step) == (height + step - 1) // step // 2
    )
