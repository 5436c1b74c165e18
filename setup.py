"""What pyproject.toml cannot say: the compiled modules of `vision/native`. Everything else is there.

They are optional: without a C compiler the installation goes on, and NumPy does their work.
"""

import runpy
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

ROOT = Path(__file__).parent
sources = runpy.run_path(str(ROOT / "vision" / "native" / "sources.py"))
sources["begin"]()
modules = [
    Extension(
        f"vision.native.{path.stem}",
        [str(path.relative_to(ROOT))],
        include_dirs=[numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
        # No fused multiply-add: the results are NumPy's, to the bit. Nobody reads `errno` or the processor's exceptions, for
        # whose sake a root, or a comparison, would be taken one by one.
        extra_compile_args=["-O3", "-g0", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"],
    )
    for path in sorted(ROOT.glob("vision/native/*.pyx"))
]
compiled = cythonize(modules, build_dir="build/cython", language_level=3, quiet=True)
for module in compiled:
    module.optional = True  # said to `Extension`, it would be lost on the way
setup(ext_modules=compiled)
sources["end"]()
