# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""From the blocks of a picture that changed to the boxes around them."""
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr

cimport numpy as cnp

cnp.import_array()


cdef struct Run:
    # Blocks `left` to `right` of one row; and of all runs that were joined to this one their box and the first one's key.
    int left, right, parent, x1, y1, x2, y2, key


def boxes(changed, int least_blocks, int margin_blocks):
    """(x1, y1, x2, y2), 0..1, around the blocks of `changed` (rows, columns) bool in C order that changed together: where
    `least_blocks` of the nine around one did, each widened by `margin_blocks`. In the order of OpenCV's components.
    """
    if not cnp.PyArray_Check(changed):
        raise ValueError(f"changed: expected an array, not {type(changed).__name__}")
    cdef cnp.ndarray grid = <cnp.ndarray>changed
    if cnp.PyArray_TYPE(grid) != cnp.NPY_BOOL or cnp.PyArray_NDIM(grid) != 2 or not cnp.PyArray_IS_C_CONTIGUOUS(grid):
        raise ValueError(f"changed: expected (rows, columns) bool in C order, got {changed.shape} {changed.dtype}")
    if margin_blocks < 0:
        raise ValueError(f"margin_blocks: {margin_blocks} is less than 0")
    cdef int rows = <int>cnp.PyArray_DIM(grid, 0), columns = <int>cnp.PyArray_DIM(grid, 1)
    cdef Py_ssize_t size = cnp.PyArray_SIZE(grid)
    cdef uint8_t* room = <uint8_t*>malloc(3 * size + 1)
    # Of two blocks of a row that are next to each other at most one begins a run.
    cdef Run* runs = <Run*>malloc((<Py_ssize_t>rows * (columns + 1) // 2 + 1) * sizeof(Run))
    cdef int count, n
    cdef list found = []
    try:
        if room == NULL or runs == NULL:
            raise MemoryError
        solid(<uint8_t*>cnp.PyArray_DATA(grid), room, room + size, rows, columns, least_blocks)
        if memchr(room + size, 1, size) == NULL:
            return ()  # specks: so it is most of the time
        widen(room + size, room, room + 2 * size, rows, columns, margin_blocks)
        count = joined(room + 2 * size, runs, rows, columns)
        for n in range(count):
            if runs[n].parent == n:
                found.append((
                    runs[n].key,
                    runs[n].x1 / <double>columns,
                    runs[n].y1 / <double>rows,
                    (runs[n].x2 + 1) / <double>columns,
                    (runs[n].y2 + 1) / <double>rows,
                ))
    finally:
        free(room)
        free(runs)
    found.sort()  # no two have a block of their first square in common
    return tuple([one[1:] for one in found])


cdef void solid(
    const uint8_t* changed, uint8_t* three, uint8_t* out, Py_ssize_t rows, Py_ssize_t columns, int least
) noexcept nogil:
    """1 where a block and `least` of the nine around it (itself one) changed. `three` is room for sums along the rows."""
    cdef Py_ssize_t row, n, size = rows * columns
    for n in range(size):
        three[n] = changed[n]
    for row in range(rows):
        add(changed + row * columns, three + row * columns + 1, columns - 1)
        add(changed + row * columns + 1, three + row * columns, columns - 1)
    for n in range(size):
        out[n] = three[n]
    add(three, out + columns, size - columns)
    add(three + columns, out, size - columns)
    for n in range(size):
        out[n] = changed[n] & (out[n] >= least)


cdef void widen(
    const uint8_t* given, uint8_t* along, uint8_t* out, Py_ssize_t rows, Py_ssize_t columns, int margin
) noexcept nogil:
    """Not 0 within `margin` blocks of what is 1 in `given`, diagonally too. `along` is room for the same along the rows."""
    cdef Py_ssize_t row, n, step, size = rows * columns
    for n in range(size):
        along[n] = given[n]
    for step in range(1, min(margin + 1, columns)):
        for row in range(rows):
            unite(given + row * columns, along + row * columns + step, columns - step)
            unite(given + row * columns + step, along + row * columns, columns - step)
    for n in range(size):
        out[n] = along[n]
    for step in range(1, min(margin + 1, rows)):
        unite(along, out + step * columns, size - step * columns)
        unite(along + step * columns, out, size - step * columns)


cdef inline void add(const uint8_t* given, uint8_t* to, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t n
    for n in range(count):
        to[n] = <uint8_t>(to[n] + given[n])


cdef inline void unite(const uint8_t* given, uint8_t* to, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t n
    for n in range(count):
        to[n] = to[n] | given[n]


cdef int joined(const uint8_t* given, Run* runs, int rows, int columns) noexcept nogil:
    """Runs along the rows of what is 1, joined to those of the row above that touch them, diagonally too; returns how many.
    The first run of each component is its own `parent` and has its box.

    The key is that of OpenCV's order: the first square of two by two blocks, row by row.
    """
    cdef int row, column, begin, count = 0, above = 0, above_end = 0, here, m
    for row in range(rows):
        here = count
        column = 0
        while column < columns:
            if not given[row * columns + column]:
                column += 1
                continue
            begin = column
            while column < columns and given[row * columns + column]:
                column += 1
            runs[count] = Run(
                begin, column - 1, count, begin, row, column - 1, row, row // 2 * ((columns + 1) // 2) + begin // 2
            )
            m = above
            while m < above_end and runs[m].left <= column:
                if runs[m].right >= begin - 1:
                    join(runs, root(runs, m), root(runs, count))
                m += 1
            count += 1
        above, above_end = here, count
    return count


cdef int root(Run* runs, int n) noexcept nogil:
    while runs[n].parent != n:
        n = runs[n].parent
    return n


cdef void join(Run* runs, int a, int b) noexcept nogil:
    cdef int first = a if a < b else b
    cdef int second = b if a < b else a
    if first == second:
        return
    runs[second].parent = first
    runs[first].x1 = min(runs[first].x1, runs[second].x1)
    runs[first].y1 = min(runs[first].y1, runs[second].y1)
    runs[first].x2 = max(runs[first].x2, runs[second].x2)
    runs[first].y2 = max(runs[first].y2, runs[second].y2)
    runs[first].key = min(runs[first].key, runs[second].key)
