"""Loads the kernels of `emberline.features.tfrecord.codec.kernels` without importing numba.

Importing numba costs a Python worker about half a second of processor time, and numba's own cache knows a kernel by
the path of its source file, which for `--py-files app.zip` is a new temporary folder in every Spark application. So
the object code of each kernel is stored under a key made of the source of `kernels.py`, the versions of numba and
llvmlite and the processor, and loaded by llvmlite alone: 50 to 150 ms for the first call in a process, microseconds
after.

Where object code is looked for, in this order; the first writable place receives what had to be compiled:

1. `$EMBERLINE_KERNEL_CACHE`, if set; then `$NUMBA_CACHE_DIR/emberline`, if set;
2. `__pycache__/kernels` beside this file (a read-only installation may carry code compiled at build time by
   `python -m emberline.features.tfrecord.codec.compiled`; code imported from a `.zip` has no such place);
3. `$XDG_CACHE_HOME/emberline`, or `~/.cache/emberline`;
4. `emberline-<user id>` in the temporary folder.

Object code is machine code: a folder or a file counts only if nobody but this user and root can write it, or any folder
above it (a folder with the sticky bit, such as /tmp, lets others add names but not take ours).

Where none of them is writable the kernels are compiled in every process (some seconds) and the engine still works.
"""

import ctypes
import functools
import hashlib
import importlib.util
import json
import logging
import os
import pkgutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import llvmlite.binding as llvm

logger = logging.getLogger(__name__)

_SOURCE = "emberline.features.tfrecord.codec.kernels"


def cache_folders() -> Iterator[Path]:
    """Returns the folders of the module's docstring that exist or can be made, in order of preference."""
    return (folder for folder in _places() if is_private(folder))


def _places() -> Iterator[Path]:
    if place := os.environ.get("EMBERLINE_KERNEL_CACHE"):
        yield Path(place)
    if place := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(place) / "emberline"
    here = Path(__file__).parent
    if here.is_dir():  # not inside a .zip
        yield here / "__pycache__" / "kernels"
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if os.path.isabs(home):
        yield Path(home) / "emberline"
    yield Path(tempfile.gettempdir()) / f"emberline-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def is_private(path: Path) -> bool:
    """Returns whether nobody but this user and root can replace a file or folder, or a folder above it.

    A path that does not exist yet is private if the folder in which it will be made is.
    """
    if not hasattr(os, "getuid"):
        return True
    try:
        real = path.resolve()
        for place in (real, *real.parents):
            try:
                found = place.stat()
            except FileNotFoundError:
                continue
            if not _is_own(found, sticky=place != real):
                return False
    except OSError:
        return False
    return True


def _is_own(found: os.stat_result, *, sticky: bool) -> bool:
    if found.st_uid not in (0, os.getuid()):
        return False
    # A group that is called by the number of its user is that user's alone, on most systems.
    writable = 0o002 if found.st_gid == found.st_uid else 0o022
    return not found.st_mode & writable or bool(sticky and found.st_mode & stat.S_ISVTX)


@functools.cache
def _cache_key() -> str:
    """Hash of everything that object code depends on."""
    source = pkgutil.get_data("emberline.features.tfrecord.codec", "kernels.py")
    if source is None:
        raise ImportError(f"The source of {_SOURCE} is not readable; install emberline with its .py files.")
    features = sorted(name for name, on in llvm.get_host_cpu_features().items() if on)
    machine = [llvm.get_process_triple(), llvm.get_host_cpu_name(), *features]
    parts = [version("numba"), version("llvmlite"), *machine]
    return hashlib.sha256(source + "\n".join(parts).encode()).hexdigest()[:32]


@functools.cache
def _target_machine() -> llvm.TargetMachine:
    try:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
    except RuntimeError:
        pass  # newer LLVM initialises itself and says so
    features = ",".join(f"{'+' if on else '-'}{name}" for name, on in llvm.get_host_cpu_features().items())
    return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True, codemodel="jitdefault"
    )


def _compile(name: str) -> bytes:
    """Compile one kernel with numba; returns a JSON line (symbol, number of arguments) and the object code."""
    from numba import njit, types

    kernels = importlib.import_module(_SOURCE)
    arguments = kernels.ENTRY_POINTS[name]
    signature = types.int64(*[types.int64] * arguments)
    wrapped = njit(  # type: ignore[call-overload]
        [signature], nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
    )(getattr(kernels, name).py_func)
    overload = wrapped.overloads[signature.args]
    # Numba hands out assembler and LLVM's text of a finished library, but its module by this attribute alone.
    module = llvm.parse_bitcode(overload.library._final_module.as_bitcode())
    header = json.dumps({"symbol": overload.fndesc.llvm_func_name, "arguments": arguments})
    return header.encode() + b"\n" + _target_machine().emit_object(module)


def _store(name: str, code: bytes) -> None:
    """Keep object code in the first folder that takes it; it appears by rename, so readers see all or nothing."""
    for folder in cache_folders():
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=name)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(code).digest() + code)
                os.chmod(temporary, 0o644)  # an image built by one user is run by another
                os.replace(temporary, folder / f"{name}-{_cache_key()}.o")
            except OSError:
                os.unlink(temporary)
                raise
        except OSError:
            continue
        return
    logger.warning(
        "no folder to keep compiled kernels in (tried %s): every process compiles %s again; set EMBERLINE_KERNEL_CACHE",
        ", ".join(map(str, cache_folders())),
        name,
    )


def _find(name: str) -> bytes | None:
    """Stored object code, or None where there is none or it is damaged."""
    for folder in cache_folders():
        try:
            with (folder / f"{name}-{_cache_key()}.o").open("rb") as file:
                if hasattr(os, "getuid") and not _is_own(os.fstat(file.fileno()), sticky=False):
                    continue
                content = file.read()
        except OSError:
            continue
        if hashlib.sha256(content[32:]).digest() == content[:32]:
            return content[32:]
    return None


_engines: list[llvm.ExecutionEngine] = []  # owns the loaded code for the life of the process


@functools.cache
def kernel(name: str) -> Callable[..., int]:
    """Returns the kernel `name` of the module `kernels`: a function of integers that runs without the GIL.

    Args:
        name: a key of `kernels.ENTRY_POINTS`.
    """
    code = _find(name)
    if code is None:
        code = _compile(name)
        _store(name, code)
    header, _, binary = code.partition(b"\n")
    described = json.loads(header)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(binary))
    engine.finalize_object()
    _engines.append(engine)
    arguments = described["arguments"]
    # numba's calling convention: int32 status f(result*, exception**, arguments...)
    prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * arguments)
    native = prototype(engine.get_function_address(described["symbol"]))

    def call(*values: int) -> int:
        result, exception = ctypes.c_int64(), ctypes.c_void_p()
        status = native(ctypes.addressof(result), ctypes.addressof(exception), *values)
        if status != 0:
            raise SystemError(f"Kernel {name} ended with status {status}; kernels must not raise: report this defect.")
        return result.value

    return call


def compile_all() -> None:
    """Fills the first folder that takes kernels, with those of other folders too; for image builds.

    A later process may see only some of the folders: code in a .zip has none of its own.
    """
    for name in importlib.import_module(_SOURCE).ENTRY_POINTS:
        _store(name, _find(name) or _compile(name))


if __name__ == "__main__":
    compile_all()
    print(next((str(folder) for folder in cache_folders() if list(folder.glob(f"*-{_cache_key()}.o"))), "not kept"))
