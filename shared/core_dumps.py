"""A process that knows a secret leaves no image of its memory behind.

Without PR_SET_DUMPABLE nobody but root reads its memory or environment from /proc either, nor
attaches a debugger. Where it crashed is still told: faulthandler writes the stacks, no values.
"""

import ctypes
import faulthandler
import os
import resource
import sys

PR_SET_DUMPABLE = 4


def forbid_core_dumps() -> None:
    """Takes effect at once, for good, and for children until they execute something else."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "PR_SET_DUMPABLE")
    if sys.__stderr__ is not None:
        faulthandler.enable(sys.__stderr__)  # it writes by itself, past what stands before it
