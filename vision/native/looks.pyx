# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The arithmetic of `vision.looks`: how much two thumbnails of a place are alike."""
cimport numpy as cnp
from libc.math cimport ceil, fabs, floor, lrintf, sqrt

from vision.native.given cimport doubles, most, new_vector, picture

cnp.import_array()

# As in vision.looks.
cdef enum:
    CORE = 16
    MARGIN = 2
    SIDE = CORE + 2 * MARGIN
    SHIFTS = 2 * MARGIN + 1
cdef double FLAT = 3.0
cdef double COLOURLESS = 4.5


cdef struct Plane:
    double grey[SIDE * SIDE]
    double along_x[SIDE * SIDE]
    double along_y[SIDE * SIDE]
    bint colourless


cdef struct Sums:
    # What the core at each shift in a row of them gives, against the core in the middle of the other picture.
    double mean[SHIFTS]
    double square[SHIFTS]
    double product[SHIFTS]
    double steep[SHIFTS]
    double product_x[SHIFTS]
    double product_y[SHIFTS]


cdef inline double grey_of(const cnp.uint8_t* bgr) noexcept nogil:
    return 0.114 * bgr[0] + 0.587 * bgr[1] + 0.299 * bgr[2]


cdef inline double blue_yellow(const cnp.uint8_t* bgr, double grey) noexcept nogil:
    return 0.564 * (bgr[0] - grey)


cdef inline double red_green(const cnp.uint8_t* bgr, double grey) noexcept nogil:
    return 0.713 * (bgr[2] - grey)


cdef void describe(const cnp.uint8_t* cells, Plane* out) noexcept nogil:
    """Brightness and its slopes, none along the border, of `cells` (SIDE, SIDE, 3)."""
    cdef int row, column, at, coloured = 0
    cdef double grey
    for at in range(SIDE * SIDE):
        out.grey[at] = grey = grey_of(cells + 3 * at)
        coloured += fabs(blue_yellow(cells + 3 * at, grey)) + fabs(red_green(cells + 3 * at, grey)) >= COLOURLESS
    out.colourless = coloured < SIDE * SIDE / 20.0
    for row in range(SIDE):
        for column in range(SIDE):
            at = row * SIDE + column
            out.along_x[at] = out.along_y[at] = 0.0
            if 0 < column < SIDE - 1:
                out.along_x[at] = (out.grey[at + 1] - out.grey[at - 1]) / 2
            if 0 < row < SIDE - 1:
                out.along_y[at] = (out.grey[at + SIDE] - out.grey[at - SIDE]) / 2


cdef void sum_up(
    const Plane* now, int first, const double* w, const double* then, const double* then_x, const double* then_y, Sums* out
) noexcept nogil:
    """For the cores that begin at `first` and the cells to the right of it; `w`, and the other core times `w`, are (CORE, CORE)."""
    cdef int row, column, shift, at, cell
    cdef double off, x, y
    for shift in range(SHIFTS):
        out.mean[shift] = out.square[shift] = out.product[shift] = 0.0
        out.steep[shift] = out.product_x[shift] = out.product_y[shift] = 0.0
    for row in range(CORE):
        for column in range(CORE):
            at, cell = first + row * SIDE + column, row * CORE + column
            for shift in range(SHIFTS):
                out.mean[shift] += now.grey[at + shift] * w[cell]
    for row in range(CORE):
        for column in range(CORE):
            at, cell = first + row * SIDE + column, row * CORE + column
            for shift in range(SHIFTS):
                off = now.grey[at + shift] - out.mean[shift]
                out.square[shift] += off * off * w[cell]
                out.product[shift] += off * then[cell]
            for shift in range(SHIFTS):
                x, y = now.along_x[at + shift], now.along_y[at + shift]
                out.steep[shift] += (x * x + y * y) * w[cell]
                out.product_x[shift] += x * then_x[cell]
                out.product_y[shift] += y * then_y[cell]


cdef double best_structure(
    const Plane* reference, const Plane* now, const double* w, int* best_row, int* best_column
) noexcept nogil:
    """The best correlation, and at which shift."""
    cdef double then[CORE * CORE]
    cdef double then_x[CORE * CORE]
    cdef double then_y[CORE * CORE]
    cdef Sums sums
    cdef int row, column, cell, at
    cdef double mean = 0.0, square = 0.0, steep_then = 0.0, spread_then, spread, middle_spread = 0.0
    cdef double brightness, gradient, score, best = 0.0
    for row in range(CORE):
        for column in range(CORE):
            cell, at = row * CORE + column, (row + MARGIN) * SIDE + column + MARGIN
            then[cell], then_x[cell], then_y[cell] = reference.grey[at], reference.along_x[at], reference.along_y[at]
            mean += then[cell] * w[cell]
    for cell in range(CORE * CORE):
        then[cell] -= mean
        square += then[cell] * then[cell] * w[cell]
        steep_then += (then_x[cell] * then_x[cell] + then_y[cell] * then_y[cell]) * w[cell]
        then[cell] *= w[cell]
        then_x[cell] *= w[cell]
        then_y[cell] *= w[cell]
    spread_then, steep_then = sqrt(square), sqrt(steep_then)
    best_row[0] = best_column[0] = 0
    for row in range(SHIFTS):
        sum_up(now, row * SIDE, w, then, then_x, then_y, &sums)
        for column in range(SHIFTS):
            spread = sqrt(sums.square[column])
            if row == column == MARGIN:
                middle_spread = spread
            brightness = gradient = 0.0
            if spread >= FLAT and spread_then >= FLAT:
                brightness = sums.product[column] / most(spread * spread_then, 1e-9)
                gradient = (sums.product_x[column] + sums.product_y[column]) / most(sqrt(sums.steep[column]) * steep_then, 1e-9)
            score = (brightness + gradient) / 2
            if (row == 0 and column == 0) or score > best:
                best, best_row[0], best_column[0] = score, row, column
    # Both are one even surface: the same one.
    return 1.0 if spread_then < FLAT and middle_spread < FLAT else best


cdef double difference(
    const cnp.uint8_t* reference, const cnp.uint8_t* now, const double* weights, double total, int row, int column
) noexcept nogil:
    """The weighted mean difference in colour of the core of `reference` and the core of `now` at that shift."""
    cdef int down, across
    cdef const cnp.uint8_t* a
    cdef const cnp.uint8_t* b
    cdef double grey_a, grey_b, found = 0.0
    for down in range(CORE):
        for across in range(CORE):
            a = now + 3 * ((row + down) * SIDE + column + across)
            b = reference + 3 * ((MARGIN + down) * SIDE + MARGIN + across)
            grey_a, grey_b = grey_of(a), grey_of(b)
            found += (
                fabs(blue_yellow(a, grey_a) - blue_yellow(b, grey_b)) + fabs(red_green(a, grey_a) - red_green(b, grey_b))
            ) * weights[down * CORE + across]
    return found / total


cdef bint is_looks(cnp.ndarray given):
    return (
        cnp.PyArray_TYPE(given) == cnp.NPY_UINT8
        and cnp.PyArray_NDIM(given) == 3
        and cnp.PyArray_DIM(given, 0) == SIDE
        and cnp.PyArray_DIM(given, 1) == SIDE
        and cnp.PyArray_DIM(given, 2) == 3
        and cnp.PyArray_ISCARRAY_RO(given)
    )


def likeness(cnp.ndarray reference, cnp.ndarray now, cnp.ndarray weights):
    """(structure, colour) as `vision.looks.likeness` has them, of two looks (20, 20, 3) uint8 and `weights` (16, 16) float64, all
    in C order. Raises ValueError when they are not.
    """
    if not (is_looks(reference) and is_looks(now)):
        raise ValueError("looks: expected (20, 20, 3) uint8 in C order")
    if not (
        cnp.PyArray_TYPE(weights) == cnp.NPY_FLOAT64
        and cnp.PyArray_NDIM(weights) == 2
        and cnp.PyArray_DIM(weights, 0) == CORE
        and cnp.PyArray_DIM(weights, 1) == CORE
        and cnp.PyArray_ISCARRAY_RO(weights)
    ):
        raise ValueError("weights: expected (16, 16) float64 in C order")
    cdef Plane before, after
    cdef double w[CORE * CORE]
    cdef const cnp.uint8_t* first = <const cnp.uint8_t*>cnp.PyArray_DATA(reference)
    cdef const cnp.uint8_t* second = <const cnp.uint8_t*>cnp.PyArray_DATA(now)
    cdef const double* given = doubles(weights)
    cdef double total = 0.0, structure, colour = 0.0
    cdef int cell, row, column
    with nogil:
        for cell in range(CORE * CORE):
            total += given[cell]
        if total > 0:
            for cell in range(CORE * CORE):
                w[cell] = given[cell] / total
            describe(first, &before)
            describe(second, &after)
            structure = best_structure(&before, &after, w, &row, &column)
            if not (before.colourless or after.colourless):
                colour = difference(first, second, given, total, row, column)
        else:
            structure = 0.0
    return structure, colour


cdef extern from *:
    """
    /* The weighted sum of `count` pixels of three floats, by colour; the fourth is of no use. Reads one float beyond them. */
    static inline void weighted(const float *pixels, const float *weights, int count, float *out) {
        typedef float four __attribute__((vector_size(16), aligned(4)));
        four sum = {0, 0, 0, 0};
        for (int n = 0; n < count; n++) sum += *(const four *)(pixels + 3 * n) * weights[n];
        *(four *)out = sum;
    }
    """
    void weighted(const float* pixels, const float* weights, int count, float* out) noexcept nogil


cdef int weigh(Py_ssize_t size, int* first, int* count, float* weights) noexcept nogil:
    """How each of SIDE cells side by side is made of `size` pixels, SIDE or more: from which pixel on, of how many, and their
    weights, one cell after another. As OpenCV's INTER_AREA has them, with its rounding.
    """
    cdef double scale = <double>size / SIDE, begin, end, wide
    cdef int cell, pixel, whole, last, at = 0
    for cell in range(SIDE):
        begin = cell * scale
        end = begin + scale
        wide = scale if scale < size - begin else size - begin
        whole, last = <int>ceil(begin), <int>floor(end)
        last = last if last < size - 1 else <int>size - 1
        whole = whole if whole < last else last
        first[cell], count[cell] = whole, at
        if whole - begin > 1e-3:
            first[cell] = whole - 1
            weights[at] = <float>((whole - begin) / wide)
            at += 1
        for pixel in range(whole, last):
            weights[at] = <float>(1.0 / wide)
            at += 1
        if end - last > 1e-3:
            begin = end - last if end - last < 1.0 else 1.0
            weights[at] = <float>((begin if begin < wide else wide) / wide)
            at += 1
        count[cell] = at - count[cell]
    return at


def shrink(pixels, Py_ssize_t top, Py_ssize_t bottom, Py_ssize_t left, Py_ssize_t right):
    """(20, 20, 3) uint8: the rows `top` to `bottom` and columns `left` to `right` (not included) of a picture (H, W, 3) uint8, as
    OpenCV's INTER_AREA makes them smaller on x86-64. None where that would go another way: by whole numbers, or larger; and where the
    picture is not in C order.
    """
    cdef cnp.ndarray array = picture(pixels)
    cdef Py_ssize_t height = bottom - top, width = right - left, pitch = 3 * cnp.PyArray_DIM(array, 1)
    if not (0 <= top < bottom <= cnp.PyArray_DIM(array, 0) and 0 <= left < right <= cnp.PyArray_DIM(array, 1)):
        raise ValueError(f"rows {top} to {bottom}, columns {left} to {right}: not all in the picture")
    is_whole = height % SIDE == 0 and width % SIDE == 0
    if height < SIDE or width < SIDE or is_whole or not cnp.PyArray_ISCARRAY_RO(array):
        return None
    cdef cnp.npy_intp shape[3]
    shape[0], shape[1], shape[2] = SIDE, SIDE, 3
    cdef cnp.ndarray result = cnp.PyArray_EMPTY(3, shape, cnp.NPY_UINT8, 0)
    # A pixel may be in two cells.
    cdef cnp.ndarray room = new_vector(width + height + 4 * SIDE + 3 * width + 1, cnp.NPY_FLOAT32)
    cdef float* across = <float*>cnp.PyArray_DATA(room)
    cdef float* down = across + width + 2 * SIDE
    cdef float* row = down + height + 2 * SIDE
    cdef int first_x[SIDE]
    cdef int count_x[SIDE]
    cdef int first_y[SIDE]
    cdef int count_y[SIDE]
    cdef float sums[3 * SIDE]
    cdef const cnp.uint8_t* line
    cdef cnp.uint8_t* out = <cnp.uint8_t*>cnp.PyArray_DATA(result)
    cdef const float* weight
    cdef float sum[4]
    cdef Py_ssize_t n
    cdef int cell, step, value
    with nogil:
        weigh(width, first_x, count_x, across)
        weigh(height, first_y, count_y, down)
        row[3 * width] = 0.0
        for cell in range(SIDE):
            for n in range(3 * SIDE):
                sums[n] = 0.0
            for step in range(count_y[cell]):
                line = <const cnp.uint8_t*>cnp.PyArray_DATA(array) + (top + first_y[cell] + step) * pitch + 3 * left
                for n in range(3 * width):
                    row[n] = line[n]
                weight = across
                for n in range(SIDE):
                    weighted(row + 3 * first_x[n], weight, count_x[n], sum)
                    weight += count_x[n]
                    for value in range(3):
                        sums[3 * n + value] += down[0] * sum[value]
                down += 1
            for n in range(3 * SIDE):
                value = <int>lrintf(sums[n])
                out[3 * SIDE * cell + n] = 0 if value < 0 else 255 if value > 255 else value
    return result
