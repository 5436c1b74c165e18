# cython: language_level=3
"""C functions before which FOR_EACH_PROCESSOR stands are compiled for each of three kinds of processor, and the one at hand is
chosen when the module is loaded: what newer ones do to 32 or 64 bytes at once, and to bytes that do not lie side by side, is
what such loops gain by. setup.py forbids fused multiply-adds, which would round otherwise; sums of floats keep their order.
IS_WIDE says whether they gain: without AVX2 what OpenCV brings along by hand is quicker. Only for this package.
"""
cdef extern from *:
    """
    #if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && !defined(__clang__) && __GNUC__ >= 12
    #define FOR_EACH_PROCESSOR __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
    #define IS_WIDE __builtin_cpu_supports("avx2")
    #else
    #define FOR_EACH_PROCESSOR
    #ifdef __x86_64__
    #define IS_WIDE 0
    #else
    #define IS_WIDE 1
    #endif
    #endif
    """
    bint IS_WIDE
