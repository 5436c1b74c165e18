# cython: language_level=3
"""What is given as arrays, as C sees it. Only for other modules of this package."""
cimport numpy as cnp


cdef inline cnp.ndarray matrix(object given, cnp.npy_intp columns):
    """`given` as (N, columns) float64 in C order; the array itself when it is that already. NumPy must be initialised."""
    cdef cnp.ndarray array
    if cnp.PyArray_CheckExact(given):
        array = <cnp.ndarray>given
        if (
            cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT64
            and cnp.PyArray_NDIM(array) == 2
            and cnp.PyArray_DIM(array, 1) == columns
            and cnp.PyArray_ISCARRAY_RO(array)
        ):
            return array
    array = cnp.PyArray_FROMANY(given, cnp.NPY_FLOAT64, 0, 0, cnp.NPY_ARRAY_CARRAY_RO)
    return array.reshape(-1, columns)


cdef inline cnp.ndarray singles(object boxes):
    """`boxes` as (N, 4) float32 in C order; ValueError when its shape is another."""
    cdef cnp.ndarray array = cnp.PyArray_FROMANY(boxes, cnp.NPY_FLOAT32, 2, 2, cnp.NPY_ARRAY_CARRAY_RO)
    if cnp.PyArray_DIM(array, 1) != 4:
        raise ValueError(f"expected boxes (N, 4), got {(<object>array).shape}")
    return array


cdef inline cnp.ndarray vector(object given, int kind, cnp.npy_intp length):
    """`given` as (length,) of the NumPy type `kind` in C order; ValueError when its shape is another."""
    cdef cnp.ndarray array = cnp.PyArray_FROMANY(given, kind, 0, 0, cnp.NPY_ARRAY_CARRAY_RO | cnp.NPY_ARRAY_FORCECAST)
    if cnp.PyArray_NDIM(array) != 1 or cnp.PyArray_DIM(array, 0) != length:
        raise ValueError(f"expected shape ({length},), got {(<object>array).shape}")
    return array


cdef inline cnp.ndarray exactly(object given, int kind, int dimensions):
    """`given` as an array of that type in C order, itself when it is that already: NumPy is asked for nothing, which costs little
    where memory is cold. ValueError when it has other dimensions.
    """
    cdef cnp.ndarray array
    if (
        cnp.PyArray_CheckExact(given)
        and cnp.PyArray_TYPE(<cnp.ndarray>given) == kind
        and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>given)
    ):
        array = <cnp.ndarray>given
    else:
        array = cnp.PyArray_FROMANY(given, kind, 0, 0, cnp.NPY_ARRAY_CARRAY_RO | cnp.NPY_ARRAY_FORCECAST)
    if cnp.PyArray_NDIM(array) != dimensions:
        raise ValueError(f"expected {dimensions} dimensions, got shape {(<object>array).shape}")
    return array


cdef inline cnp.ndarray picture(object given):
    """A picture (height, width, 3) uint8, as it is and however its pixels lie; ValueError when it is none."""
    if not cnp.PyArray_Check(given):
        raise ValueError(f"expected a picture, got {type(given).__name__}")
    cdef cnp.ndarray array = <cnp.ndarray>given
    if cnp.PyArray_TYPE(array) != cnp.NPY_UINT8 or cnp.PyArray_NDIM(array) != 3 or cnp.PyArray_DIM(array, 2) != 3:
        raise ValueError(f"expected a picture (height, width, 3) uint8, got {given.dtype} {given.shape}")
    return array


cdef inline cnp.ndarray new_matrix(cnp.npy_intp rows, cnp.npy_intp columns):
    """(rows, columns) float64, not filled."""
    cdef cnp.npy_intp shape[2]
    shape[0], shape[1] = rows, columns
    return cnp.PyArray_EMPTY(2, shape, cnp.NPY_FLOAT64, 0)


cdef inline cnp.ndarray new_vector(cnp.npy_intp length, int kind):
    """(length,) of the NumPy type `kind`, not filled."""
    return cnp.PyArray_EMPTY(1, &length, kind, 0)


cdef inline cnp.ndarray new_singles(cnp.npy_intp count):
    """(count, 4) float32, not filled."""
    cdef cnp.npy_intp shape[2]
    shape[0], shape[1] = count, 4
    return cnp.PyArray_EMPTY(2, shape, cnp.NPY_FLOAT32, 0)


cdef inline double* doubles(cnp.ndarray array):
    return <double*>cnp.PyArray_DATA(array)


cdef inline float* floats(cnp.ndarray array):
    return <float*>cnp.PyArray_DATA(array)


cdef inline double least(double a, double b) noexcept nogil:
    """As NumPy's minimum: what is no number stays none."""
    return a if a < b or a != a else b


cdef inline double most(double a, double b) noexcept nogil:
    """As NumPy's maximum."""
    return a if a > b or a != a else b
