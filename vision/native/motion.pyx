# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One step of `vision.motion.MotionGate` on the grid of a picture's block means, in place."""
from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

cimport numpy as cnp

from vision.native cimport processors

cnp.import_array()

cdef extern from *:
    """
    #include <math.h>
    #include <stdint.h>

    /* How many of `count` numbers are not above `limit`. */
    FOR_EACH_PROCESSOR
    static int not_above(const int32_t *numbers, long count, int32_t limit) {
        int result = 0;
        for (long n = 0; n < count; n++)
            result += numbers[n] <= limit;
        return result;
    }

    /* Two values of nearly white are the same. */
    static inline float apart(float block, float expected, float white) {
        block = block < white ? block : white;
        expected = expected < white ? expected : white;
        return fabsf(block - expected);
    }

    /* Which of `count` blocks differ from what is expected by more than `factor` times the noise, `least` or more; and how many. */
    FOR_EACH_PROCESSOR
    static int differing(
        const uint8_t *restrict blocks, const float *restrict background, const float *restrict noise,
        uint8_t *restrict changed, long count, float light, float least, float factor, float white
    ) {
        int result = 0;
        for (long n = 0; n < count; n++) {
            float limit = noise[n] > least ? noise[n] : least;
            changed[n] = apart(blocks[n], background[n] * light, white) > limit * factor;
        }
        for (long n = 0; n < count; n++)
            result += changed[n];
        return result;
    }

    /* Background and noise follow the blocks: at the rate `moves` where they changed, at `stays` elsewhere. */
    FOR_EACH_PROCESSOR
    static void follow(
        const uint8_t *restrict blocks, float *restrict background, float *restrict noise, const uint8_t *restrict changed,
        long count, float light, float moves, float stays, float most
    ) {
        for (long n = 0; n < count; n++) {
            float rate = changed[n] ? moves : stays;
            float expected = background[n] * light;
            float off = blocks[n] - expected;
            background[n] = expected + rate * off;
            off = fabsf(off);
            off = off < most ? off : most;
            noise[n] += (off - noise[n]) * rate / 10.0f;
        }
    }
    """
    int not_above(const int32_t* numbers, long count, int32_t limit) nogil
    float apart(float block, float expected, float white) nogil
    int differing(
        const uint8_t* blocks, const float* background, const float* noise, uint8_t* changed, long count, float light,
        float least, float factor, float white,
    ) nogil
    void follow(
        const uint8_t* blocks, float* background, float* noise, const uint8_t* changed, long count, float light,
        float moves, float stays, float most,
    ) nogil


cdef struct Step:
    # What one step is told beside the grids; `shared` it changes.
    double shared, pace, least_noise, most_noise, noise_factor, whole_share
    float white


def update(
    blocks, background, noise, changed, double shared, double pace, double least_noise, double most_noise,
    double noise_factor, double whole_share, double white,
):
    """`blocks` (rows, columns) uint8 is compared with `background` and `noise` (float32), which follow; `changed` (bool) is
    overwritten. All in C order. Returns the share that changed and the new `shared`. Where the share is more than
    `whole_share` background and noise stay as they are.
    """
    cdef cnp.ndarray grid = checked(blocks, cnp.NPY_UINT8, blocks), changes = checked(changed, cnp.NPY_BOOL, blocks)
    cdef cnp.ndarray mean = checked(background, cnp.NPY_FLOAT32, blocks), off = checked(noise, cnp.NPY_FLOAT32, blocks)
    cdef int rows = <int>cnp.PyArray_DIM(grid, 0), columns = <int>cnp.PyArray_DIM(grid, 1)
    cdef Step step = Step(shared, pace, least_noise, most_noise, noise_factor, whole_share, <float>white)
    cdef uint8_t* marks = <uint8_t*>cnp.PyArray_DATA(changes)
    cdef Py_ssize_t count, size = rows * columns
    # Every second block along both axes, for the medians.
    cdef int32_t* order = <int32_t*>malloc(((rows + 1) // 2) * ((columns + 1) // 2) * sizeof(int32_t))
    if order == NULL:
        raise MemoryError
    count = compare(
        <uint8_t*>cnp.PyArray_DATA(grid), <float*>cnp.PyArray_DATA(mean), <float*>cnp.PyArray_DATA(off), marks,
        order, rows, columns, &step,
    )
    free(order)
    return <double>count / <double>size, step.shared


def looked(background, blocks, changed):
    """`background` (float32) becomes `blocks` (uint8) where `changed` (bool), all (rows, columns) in C order."""
    cdef cnp.ndarray mean = checked(background, cnp.NPY_FLOAT32, blocks), grid = checked(blocks, cnp.NPY_UINT8, blocks)
    cdef cnp.ndarray changes = checked(changed, cnp.NPY_BOOL, blocks)
    cdef float* out = <float*>cnp.PyArray_DATA(mean)
    cdef uint8_t* now = <uint8_t*>cnp.PyArray_DATA(grid)
    cdef uint8_t* marks = <uint8_t*>cnp.PyArray_DATA(changes)
    cdef Py_ssize_t n
    for n in range(cnp.PyArray_SIZE(grid)):
        out[n] = <float>now[n] if marks[n] else out[n]


cdef cnp.ndarray checked(object given, int kind, object like):
    """`given` as an array of this kind in C order with two axes, both as long as those of `like`."""
    if not cnp.PyArray_Check(given) or not cnp.PyArray_Check(like):
        raise ValueError(f"a grid must be an array, not {type(given).__name__}")
    cdef cnp.ndarray array = <cnp.ndarray>given, other = <cnp.ndarray>like
    if (
        cnp.PyArray_TYPE(array) != kind
        or not cnp.PyArray_IS_C_CONTIGUOUS(array)
        or cnp.PyArray_NDIM(array) != 2
        or cnp.PyArray_NDIM(other) != 2
        or cnp.PyArray_DIM(array, 0) != cnp.PyArray_DIM(other, 0)
        or cnp.PyArray_DIM(array, 1) != cnp.PyArray_DIM(other, 1)
        or cnp.PyArray_SIZE(array) == 0
    ):
        raise ValueError(f"a grid of {given.dtype} {given.shape} does not fit to one of {like.dtype} {like.shape}")
    return array


cdef Py_ssize_t compare(
    const uint8_t* blocks, float* background, float* noise, uint8_t* changed, int32_t* order, int rows, int columns, Step* step
) noexcept nogil:
    """How many blocks changed; `changed` says which. Unless too many did, `background` and `noise` follow."""
    cdef Py_ssize_t n, taken = 0, size = rows * columns
    cdef int row, column, count
    # Constants as float: NumPy does not compute in double here.
    cdef float one = 1, light, limit, stays = <float>step.pace, moves = stays / <float>4
    # What is expected is worked out anew each time: written down it would take more room than all else, in cold memory.
    for row in range(0, rows, 2):
        for column in range(0, columns, 2):
            n = row * columns + column
            order[taken] = bits((<float>blocks[n] + one) / (background[n] + one))
            taken += 1
    light = middle(order, taken)
    taken = 0
    for row in range(0, rows, 2):
        for column in range(0, columns, 2):
            n = row * columns + column
            order[taken] = bits(apart(<float>blocks[n], background[n] * light, step.white))
            taken += 1
    limit = <float>shared_noise(middle(order, taken), step)
    count = differing(blocks, background, noise, changed, size, light, limit, <float>step.noise_factor, step.white)
    if <double>count / <double>size <= step.whole_share:
        follow(blocks, background, noise, changed, size, light, moves, stays, <float>step.most_noise)
    return count


cdef double shared_noise(double now, Step* step) noexcept nogil:
    cdef double used = now if now > step.least_noise else step.least_noise
    cdef double most = 2 * step.shared + step.least_noise
    if most < used:
        used = most
    if step.most_noise < used:
        used = step.most_noise
    step.shared += step.pace * (used - step.shared)
    return used


cdef inline int32_t bits(float number) noexcept nogil:
    cdef int32_t result
    memcpy(&result, &number, sizeof(float))
    return result


cdef float middle(const int32_t* order, Py_ssize_t count) noexcept nogil:
    """The middle one of `count` numbers, none negative, given as their `bits`, which are in the same order as they are.

    By halving the range in which it lies: counting what is not above a limit has no branches, sorting has.
    """
    cdef Py_ssize_t n, wanted = count // 2 + 1
    cdef int32_t low = order[0], high = order[0], limit
    for n in range(count):
        low = order[n] if order[n] < low else low
        high = order[n] if order[n] > high else high
    while low < high:
        limit = low + (high - low) // 2
        if not_above(order, count, limit) >= wanted:
            high = limit
        else:
            low = limit + 1
    cdef float result
    memcpy(&result, &low, sizeof(float))
    return result
