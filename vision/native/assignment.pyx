# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""`vision.assignment.best_pairs`, step by step the same, so that of equal sums the same one is chosen."""
cimport numpy as cnp
from libc.math cimport INFINITY
from libc.stdlib cimport calloc, free

from vision.native.given cimport doubles

import numpy as np

cnp.import_array()

cdef struct Node:
    # A column, or the column of its own that a row may take for nothing.
    double price
    Py_ssize_t owner
    # On the way from the row that is being placed:
    double cost
    Py_ssize_t came_from
    int found  # how far the search has come with it, see below

cdef int NOT_YET = 0, REACHED = 1, SETTLED = 2
cdef int NO_MEMORY = -1, NOT_FINITE = -2


def best_pairs(score):
    """(row, column) pairs of `score` (N, M) float64 with the greatest sum, in order of rows; only scores above 0 make one.

    Raises:
        ValueError: `score` has not two dimensions, or numbers that are not finite.
    """
    cdef cnp.ndarray given = cnp.PyArray_FROMANY(score, cnp.NPY_FLOAT64, 0, 0, cnp.NPY_ARRAY_CARRAY_RO)
    if cnp.PyArray_NDIM(given) != 2:
        raise ValueError(f"score: expected (N, M), got {np.shape(score)}")
    cdef Py_ssize_t row, rows = cnp.PyArray_DIM(given, 0), columns = cnp.PyArray_DIM(given, 1)
    cdef Py_ssize_t* column_of = <Py_ssize_t*>calloc(rows + 1, sizeof(Py_ssize_t))
    if column_of == NULL:
        raise MemoryError
    try:
        settle(pair(doubles(given), rows, columns, column_of))
        return [(row, column_of[row]) for row in range(rows) if column_of[row] >= 0]
    finally:
        free(column_of)


cdef int settle(int outcome) except -1:
    """Raise what `pair` could not, if it failed."""
    if outcome == NO_MEMORY:
        raise MemoryError
    if outcome == NOT_FINITE:
        raise ValueError("scores must be finite")
    return 0


cdef int pair(const double* score, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t* column_of) noexcept nogil:
    """Fill `column_of` (rows,): the column that each row takes, -1 for none. The outcome is for `settle`."""
    cdef Py_ssize_t row, column, contested = 0
    cdef int outcome = 0
    cdef Py_ssize_t* of_row = <Py_ssize_t*>calloc(rows + columns + 1, sizeof(Py_ssize_t))
    if of_row == NULL:
        return NO_MEMORY
    cdef Py_ssize_t* of_column = of_row + rows
    for row in range(rows):
        column_of[row] = -1
        for column in range(columns):
            if score[row * columns + column] > 0:
                of_row[row] += 1
                of_column[column] += 1
                column_of[row] = column
    for row in range(rows):
        if of_row[row] > 1 or of_row[row] == 1 and of_column[column_of[row]] > 1:
            contested += 1
            column_of[row] = -1
            of_row[row] = -1
    if contested > 0:
        outcome = contest(score, rows, columns, of_row, column_of)
    free(of_row)
    return outcome


cdef int contest(
    const double* score, Py_ssize_t rows, Py_ssize_t columns, const Py_ssize_t* of_row, Py_ssize_t* column_of
) noexcept nogil:
    """`_contested` of `vision.assignment`, for the rows whose `of_row` is below 0."""
    cdef Py_ssize_t column, nodes = columns + rows
    cdef int outcome = NO_MEMORY
    cdef Node* node = <Node*>calloc(nodes, sizeof(Node))
    cdef Py_ssize_t* order = <Py_ssize_t*>calloc(nodes, sizeof(Py_ssize_t))
    cdef double* row_price = <double*>calloc(rows, sizeof(double))
    if node != NULL and order != NULL and row_price != NULL:
        for column in range(nodes):
            node[column].owner = -1
        outcome = augment(score, rows, columns, of_row, node, order, row_price, column_of)
    free(node)
    free(order)
    free(row_price)
    return outcome


cdef int augment(
    const double* score,
    Py_ssize_t rows,
    Py_ssize_t columns,
    const Py_ssize_t* of_row,
    Node* node,
    Py_ssize_t* order,
    double* row_price,
    Py_ssize_t* taken,
) noexcept nogil:
    """The same, once there is memory. `order` gets the nodes in the order in which they were first reached: of equal costs
    the first is settled. `taken` is -1 for all rows that are to be placed.
    """
    cdef Py_ssize_t root, row, column, place, reached, passed, before
    cdef double so_far, cost
    for root in range(rows):
        if of_row[root] >= 0:
            continue
        reached = 0
        for column in range(columns + rows):
            node[column].found = NOT_YET
            node[column].cost = INFINITY
        row, so_far = root, 0.0
        while True:
            for column in range(columns):
                if score[row * columns + column] > 0:
                    cost = so_far - score[row * columns + column] - row_price[row] - node[column].price
                    reached = reach(node, column, cost, row, order, reached)
            column = columns + row
            reached = reach(node, column, so_far - 0.0 - row_price[row] - node[column].price, row, order, reached)
            column = -1
            for place in range(reached):
                passed = order[place]
                if node[passed].found == REACHED and (column < 0 or node[passed].cost < node[column].cost):
                    column = passed
            if column < 0:
                return NOT_FINITE
            so_far = node[column].cost
            if node[column].owner < 0:
                break
            node[column].found = SETTLED
            row = node[column].owner
        row_price[root] += so_far
        for place in range(reached):
            passed = order[place]
            if node[passed].found == SETTLED:
                row_price[node[passed].owner] += so_far - node[passed].cost
                node[passed].price -= so_far - node[passed].cost
        while True:
            row = node[column].came_from
            before = taken[row]
            node[column].owner, taken[row] = row, column
            if before < 0:
                break
            column = before
    for row in range(rows):
        if taken[row] >= columns:
            taken[row] = -1
    return 0


cdef inline Py_ssize_t reach(
    Node* node, Py_ssize_t column, double cost, Py_ssize_t row, Py_ssize_t* order, Py_ssize_t reached
) noexcept nogil:
    """`column` can be had from `row` at `cost`. How many were reached, with it."""
    if node[column].found == SETTLED or not cost < node[column].cost:
        return reached
    node[column].cost, node[column].came_from = cost, row
    if node[column].found == NOT_YET:
        node[column].found = REACHED
        order[reached] = column
        reached += 1
    return reached
