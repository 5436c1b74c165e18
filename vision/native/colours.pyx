# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What libswscale makes of a picture YUV 4:2:0 on processors with SSSE3 or AVX2, to the bit, but only there where it is wanted:
BGR of rectangles, or the brightness of some rows.

As there: words with 13 bits behind the point, the upper halves of products, one chroma for four pixels, no dithering.
"""
from libc.stdint cimport int16_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

cimport numpy as cnp

from vision.native.given cimport exactly, picture
from vision.native.means cimport divides, gather, halve

cnp.import_array()

cdef extern from *:
    """
    #include <stdint.h>

    #if defined(__x86_64__) && defined(__GNUC__)
    #include <immintrin.h>
    #define HAS_WORDS __builtin_cpu_supports("avx2")

    /* What a colour is made of: offset and share of Y, shares of U in blue and green, of V in green and red. */
    enum {OFFSET, OF_Y, BLUE_U, GREEN_U, GREEN_V, RED_V};

    /* Of 32 pixels beside each other: blue, green and red, the even ones and the odd ones as words. */
    __attribute__((target("avx2"), always_inline))
    static inline void colours(
        const uint8_t *y, const uint8_t *u, const uint8_t *v, const int16_t *shares,
        __m256i *blue, __m256i *green, __m256i *red
    ) {
        const __m256i grey = _mm256_set1_epi16(128 << 3), offset = _mm256_set1_epi16(shares[OFFSET]);
        __m256i pixels = _mm256_loadu_si256((const __m256i *)y);
        __m256i light[2] = {_mm256_and_si256(pixels, _mm256_set1_epi16(255)), _mm256_srli_epi16(pixels, 8)};
        __m256i a = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)u));
        __m256i b = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)v));
        a = _mm256_sub_epi16(_mm256_slli_epi16(a, 3), grey);
        b = _mm256_sub_epi16(_mm256_slli_epi16(b, 3), grey);
        __m256i of_blue = _mm256_mulhi_epi16(a, _mm256_set1_epi16(shares[BLUE_U]));
        __m256i of_red = _mm256_mulhi_epi16(b, _mm256_set1_epi16(shares[RED_V]));
        __m256i of_green = _mm256_add_epi16(
            _mm256_mulhi_epi16(a, _mm256_set1_epi16(shares[GREEN_U])),
            _mm256_mulhi_epi16(b, _mm256_set1_epi16(shares[GREEN_V]))
        );
        for (int n = 0; n < 2; n++) {
            __m256i at = _mm256_sub_epi16(_mm256_slli_epi16(light[n], 3), offset);
            at = _mm256_mulhi_epi16(at, _mm256_set1_epi16(shares[OF_Y]));
            blue[n] = _mm256_add_epi16(at, of_blue);
            green[n] = _mm256_add_epi16(at, of_green);
            red[n] = _mm256_add_epi16(at, of_red);
        }
    }

    /* Even and odd words, cut to bytes, in their order: the first sixteen in the lower half. */
    __attribute__((target("avx2"), always_inline))
    static inline __m256i ordered(const __m256i *words) {
        const __m256i order = _mm256_setr_epi8(
            0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15
        );
        return _mm256_shuffle_epi8(_mm256_packus_epi16(words[0], words[1]), order);
    }

    #define NO -1

    __attribute__((target("avx2"), always_inline))
    static inline void to_bgr(const uint8_t *y, const uint8_t *u, const uint8_t *v, const int16_t *shares, uint8_t *out) {
        __m256i blue[2], green[2], red[2], third[3];
        colours(y, u, v, shares, blue, green, red);
        __m256i b = ordered(blue), g = ordered(green), r = ordered(red);
        #define OF(one, ...) _mm256_shuffle_epi8(one, _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__))
        third[0] = _mm256_or_si256(_mm256_or_si256(
            OF(b, 0, NO, NO, 1, NO, NO, 2, NO, NO, 3, NO, NO, 4, NO, NO, 5),
            OF(g, NO, 0, NO, NO, 1, NO, NO, 2, NO, NO, 3, NO, NO, 4, NO, NO)),
            OF(r, NO, NO, 0, NO, NO, 1, NO, NO, 2, NO, NO, 3, NO, NO, 4, NO));
        third[1] = _mm256_or_si256(_mm256_or_si256(
            OF(b, NO, NO, 6, NO, NO, 7, NO, NO, 8, NO, NO, 9, NO, NO, 10, NO),
            OF(g, 5, NO, NO, 6, NO, NO, 7, NO, NO, 8, NO, NO, 9, NO, NO, 10)),
            OF(r, NO, 5, NO, NO, 6, NO, NO, 7, NO, NO, 8, NO, NO, 9, NO, NO));
        third[2] = _mm256_or_si256(_mm256_or_si256(
            OF(b, NO, 11, NO, NO, 12, NO, NO, 13, NO, NO, 14, NO, NO, 15, NO, NO),
            OF(g, NO, NO, 11, NO, NO, 12, NO, NO, 13, NO, NO, 14, NO, NO, 15, NO)),
            OF(r, 10, NO, NO, 11, NO, NO, 12, NO, NO, 13, NO, NO, 14, NO, NO, 15));
        #undef OF
        _mm256_storeu_si256((__m256i *)out, _mm256_permute2x128_si256(third[0], third[1], 0x20));
        _mm256_storeu_si256((__m256i *)(out + 32), _mm256_permute2x128_si256(third[2], third[0], 0x30));
        _mm256_storeu_si256((__m256i *)(out + 64), _mm256_permute2x128_si256(third[1], third[2], 0x31));
    }

    /* Brightness in OpenCV's fixed point, of words that are cut to bytes first. */
    __attribute__((target("avx2"), always_inline))
    static inline __m256i brightness(__m256i blue, __m256i green, __m256i red) {
        const __m256i least = _mm256_setzero_si256(), most = _mm256_set1_epi16(255), one = _mm256_set1_epi16(1);
        const __m256i of_blue_green = _mm256_set1_epi32(19235 << 16 | 3735), of_red = _mm256_set1_epi32(16384 << 16 | 9798);
        blue = _mm256_min_epi16(_mm256_max_epi16(blue, least), most);
        green = _mm256_min_epi16(_mm256_max_epi16(green, least), most);
        red = _mm256_min_epi16(_mm256_max_epi16(red, least), most);
        __m256i low = _mm256_add_epi32(
            _mm256_madd_epi16(_mm256_unpacklo_epi16(blue, green), of_blue_green),
            _mm256_madd_epi16(_mm256_unpacklo_epi16(red, one), of_red)
        );
        __m256i high = _mm256_add_epi32(
            _mm256_madd_epi16(_mm256_unpackhi_epi16(blue, green), of_blue_green),
            _mm256_madd_epi16(_mm256_unpackhi_epi16(red, one), of_red)
        );
        return _mm256_packs_epi32(_mm256_srli_epi32(low, 15), _mm256_srli_epi32(high, 15));
    }

    __attribute__((target("avx2"), always_inline))
    static inline void to_grey(const uint8_t *y, const uint8_t *u, const uint8_t *v, const int16_t *shares, uint8_t *out) {
        __m256i blue[2], green[2], red[2];
        colours(y, u, v, shares, blue, green, red);
        __m256i grey[2] = {brightness(blue[0], green[0], red[0]), brightness(blue[1], green[1], red[1])};
        _mm256_storeu_si256((__m256i *)out, ordered(grey));
    }

    /* The pixels from `first` (even) to `end` of a row, 32 of them or more; the last 32 may be written twice. */
    __attribute__((target("avx2")))
    static void bgr_row(
        const uint8_t *y, const uint8_t *u, const uint8_t *v, const int16_t *shares, uint8_t *out, long first, long end
    ) {
        for (long n = first; n < end; n += 32) {
            if (n > end - 32) n = end - 32;
            to_bgr(y + n, u + n / 2, v + n / 2, shares, out + 3 * n);
        }
    }

    __attribute__((target("avx2")))
    static void grey_row(
        const uint8_t *y, const uint8_t *u, const uint8_t *v, const int16_t *shares, uint8_t *out, long width
    ) {
        for (long n = 0; n < width; n += 32) {
            if (n > width - 32) n = width - 32;
            to_grey(y + n, u + n / 2, v + n / 2, shares, out + n);
        }
    }
    #else
    #define HAS_WORDS 0
    #define bgr_row(...)
    #define grey_row(...)
    #endif
    """
    bint HAS_WORDS
    void bgr_row(
        const uint8_t* y, const uint8_t* u, const uint8_t* v, const int16_t* shares, uint8_t* out, long first, long end
    ) nogil
    void grey_row(const uint8_t* y, const uint8_t* u, const uint8_t* v, const int16_t* shares, uint8_t* out, long width) nogil


cdef enum:
    LEAST_PX = 32  # what is converted at once
    TILE_ROWS = 8
    TILE_COLUMNS = 64


cdef struct Planes:
    const uint8_t* y
    const uint8_t* u
    const uint8_t* v
    Py_ssize_t y_apart, u_apart, v_apart, height, width
    int16_t shares[6]


def fits(Py_ssize_t height, Py_ssize_t width):
    """Whether this processor can do it, for a picture of that size."""
    return bool(HAS_WORDS) and height >= 2 and width >= LEAST_PX and height % 2 == 0 and width % 2 == 0


def tiles(Py_ssize_t height, Py_ssize_t width):
    """(rows, columns) of the `done` of a picture of that size."""
    return (height + TILE_ROWS - 1) // TILE_ROWS, (width + TILE_COLUMNS - 1) // TILE_COLUMNS


def fill(y, u, v, shares, out, done, parts):
    """Write into `out` (H, W, 3) uint8 BGR what lies in `parts` (left, top, right, bottom) and is not there by `done` (uint8, for
    each tile), and note it there. `y` (H, W), `u` and `v` (H / 2, W / 2) uint8; `shares`: six words.
    """
    cdef Planes given = planes(y, u, v, shares)
    cdef cnp.ndarray bgr = picture(out), noted = exactly(done, cnp.NPY_UINT8, 2)
    cdef Py_ssize_t rows = (given.height + TILE_ROWS - 1) // TILE_ROWS
    cdef Py_ssize_t columns = (given.width + TILE_COLUMNS - 1) // TILE_COLUMNS
    if not cnp.PyArray_ISCARRAY(bgr) or cnp.PyArray_DIM(bgr, 0) != given.height or cnp.PyArray_DIM(bgr, 1) != given.width:
        raise ValueError(f"a picture of {out.shape} cannot be filled from planes of {y.shape}")
    if <object>noted is not done or cnp.PyArray_DIM(noted, 0) != rows or cnp.PyArray_DIM(noted, 1) != columns:
        raise ValueError(f"`done` must be uint8 ({rows}, {columns})")
    cdef uint8_t* pixels = <uint8_t*>cnp.PyArray_DATA(bgr)
    cdef uint8_t* marks = <uint8_t*>cnp.PyArray_DATA(noted)
    cdef Py_ssize_t left, top, right, bottom
    for part in parts:
        left, top, right, bottom = part
        left, top = max(left, 0) // TILE_COLUMNS, max(top, 0) // TILE_ROWS
        right = (min(right, given.width) + TILE_COLUMNS - 1) // TILE_COLUMNS
        bottom = (min(bottom, given.height) + TILE_ROWS - 1) // TILE_ROWS
        with nogil:
            fill_tiles(&given, pixels, marks, columns, left, top, right, bottom)


cdef void fill_tiles(
    const Planes* given, uint8_t* pixels, uint8_t* marks, Py_ssize_t columns,
    Py_ssize_t left, Py_ssize_t top, Py_ssize_t right, Py_ssize_t bottom,
) noexcept nogil:
    cdef Py_ssize_t row, column, begin, line, first, end
    cdef const uint8_t* y
    cdef const uint8_t* u
    cdef const uint8_t* v
    cdef uint8_t* mark
    for row in range(top, bottom):
        mark = marks + row * columns
        column = left
        while column < right:
            if mark[column]:
                column += 1
                continue
            begin = column
            while column < right and not mark[column]:
                column += 1
            end = min(column * TILE_COLUMNS, given.width)
            # What is left at the edge may be less than is converted at once: then it is done with what lies before it.
            first = min(begin * TILE_COLUMNS, end - LEAST_PX)
            for line in range(row * TILE_ROWS, min((row + 1) * TILE_ROWS, given.height)):
                y = given.y + line * given.y_apart
                u = given.u + (line >> 1) * given.u_apart
                v = given.v + (line >> 1) * given.v_apart
                bgr_row(y, u, v, given.shares, pixels + 3 * line * given.width, first, end)
            # Only now: another thread may ask for the same.
            memset(mark + begin, 1, column - begin)


def grey(y, u, v, shares, Py_ssize_t step):
    """(N, W) uint8: the brightness of every `step`-th row, as OpenCV has it of the BGR that `fill` would give."""
    if step < 1:
        raise ValueError(f"every row number {step}?")
    cdef Planes given = planes(y, u, v, shares)
    cdef cnp.npy_intp shape[2]
    shape[0], shape[1] = (given.height + step - 1) // step, given.width
    cdef cnp.ndarray result = cnp.PyArray_EMPTY(2, shape, cnp.NPY_UINT8, 0)
    cdef uint8_t* out = <uint8_t*>cnp.PyArray_DATA(result)
    cdef Py_ssize_t row
    with nogil:
        for row in range(shape[0]):
            row_of(&given, row * step, out + row * given.width)
    return result


def thumbnail(y, u, v, shares, Py_ssize_t step):
    """(h, w) uint8: what `vision.native.brightness.thumbnail` makes of the BGR that `fill` would give; None where it makes
    nothing of it because the blocks do not divide the picture.
    """
    cdef Planes given = planes(y, u, v, shares)
    if not divides(given.height, given.width, step):
        return None
    cdef cnp.npy_intp shape[2]
    shape[0], shape[1] = given.height // (2 * step), given.width // (2 * step)
    cdef cnp.ndarray result = cnp.PyArray_EMPTY(2, shape, cnp.NPY_UINT8, 0)
    cdef uint8_t* out = <uint8_t*>cnp.PyArray_DATA(result)
    cdef uint8_t* room = <uint8_t*>malloc(3 * given.width)
    cdef Py_ssize_t row
    if room == NULL:
        raise MemoryError
    with nogil:
        for row in range(shape[0]):
            row_of(&given, 2 * row * step, room)
            row_of(&given, (2 * row + 1) * step, room + given.width)
            halve(room, room + given.width, room + 2 * given.width, given.width // 2)
            gather(room + 2 * given.width, out + row * shape[1], shape[1], step)
    free(room)
    return result


cdef inline void row_of(const Planes* given, Py_ssize_t line, uint8_t* out) noexcept nogil:
    cdef const uint8_t* u = given.u + (line >> 1) * given.u_apart
    cdef const uint8_t* v = given.v + (line >> 1) * given.v_apart
    grey_row(given.y + line * given.y_apart, u, v, given.shares, out, given.width)


cdef Planes planes(object y, object u, object v, object shares) except *:
    cdef Planes given
    cdef cnp.ndarray light = plane(y), first = plane(u), second = plane(v)
    given.height, given.width = cnp.PyArray_DIM(light, 0), cnp.PyArray_DIM(light, 1)
    if not fits(given.height, given.width):
        raise ValueError(f"planes of {y.shape} are not converted here")
    if not u.shape == v.shape == (given.height // 2, given.width // 2):
        raise ValueError(f"planes of {y.shape}, {u.shape} and {v.shape} are no picture YUV 4:2:0")
    given.y, given.y_apart = <const uint8_t*>cnp.PyArray_DATA(light), cnp.PyArray_STRIDE(light, 0)
    given.u, given.u_apart = <const uint8_t*>cnp.PyArray_DATA(first), cnp.PyArray_STRIDE(first, 0)
    given.v, given.v_apart = <const uint8_t*>cnp.PyArray_DATA(second), cnp.PyArray_STRIDE(second, 0)
    for n in range(6):
        given.shares[n] = shares[n]
    return given


cdef cnp.ndarray plane(object given):
    if not cnp.PyArray_Check(given):
        raise ValueError(f"expected a plane, got {type(given).__name__}")
    cdef cnp.ndarray array = <cnp.ndarray>given
    if cnp.PyArray_TYPE(array) != cnp.NPY_UINT8 or cnp.PyArray_NDIM(array) != 2 or cnp.PyArray_STRIDE(array, 1) != 1:
        raise ValueError(f"expected a plane (height, width) uint8 in rows, got {given.dtype} {given.shape}")
    return array
