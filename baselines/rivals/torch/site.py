# Where a torch rival works: the device's own stream and tensors, wrapped without a copy.
# It knows no family; those are the other files of this folder.
import ctypes
import json
import linecache
import sys

# The worker speaks its protocol on stdout, which nobody else may write to.
sys.stdout = sys.stderr

import torch

DTYPES = {
    "f32": torch.float32,
    "bf16": torch.bfloat16,
    "f16": torch.float16,
    "e4m3": torch.float8_e4m3fn,
}
# The array interface has no name for most of torch's types, so memory is wrapped as whole numbers
# of the same size and seen as what it is.
NUMBERS = {1: ("|u1", torch.uint8), 2: ("<i2", torch.int16), 4: ("<i4", torch.int32)}

# Sums stay in f32: torch's users may choose otherwise, but then it is another formula.
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
torch.set_grad_enabled(False)


class Site:
    """A problem with its tensors' addresses, as Rust wrote it down."""

    def __init__(self, text):
        site = json.loads(text)
        self.problem = site["problem"]
        self.shape = site["shape"]
        self.dtype = self.problem["dtype"]
        self.addresses = site["addresses"]
        self.device = torch.device(site["device"])
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
            torch.cuda.set_stream(torch.cuda.ExternalStream(site["stream"], self.device))

    def axes(self, *names):
        return [self.shape[name] for name in names]

    def tensor(self, idx, dims, dtype=None):
        """The tensor at an index of the family's list; negative ones count from its end."""
        dtype = DTYPES[dtype or self.dtype]
        address = self.addresses[idx]
        typestr, numbers = NUMBERS[dtype.itemsize]
        if self.device.type == "cpu":
            count = dtype.itemsize
            for extent in dims:
                count *= extent
            memory = (ctypes.c_uint8 * count).from_address(address)
            return torch.frombuffer(memory, dtype=torch.uint8).view(dtype).view(dims)
        wrapped = torch.as_tensor(DeviceMemory(address, dims, typestr), device=self.device)
        assert wrapped.data_ptr() == address and wrapped.dtype == numbers, "torch copied a tensor"
        return wrapped.view(dtype)

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.current_stream().synchronize()


class DeviceMemory:
    """Tells torch of memory that is not its own."""

    def __init__(self, address, dims, typestr):
        self.__cuda_array_interface__ = {
            "shape": tuple(dims),
            "typestr": typestr,
            "data": (address, False),
            "strides": None,
            "version": 3,
        }


def remember(file, text):
    """Lets Python find the text of a file that is part of this program: Triton compiles from it."""
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file


# What ends a case rather than a candidate: memory, and a context that may be broken.
FATAL = (torch.OutOfMemoryError, getattr(torch, "AcceleratorError", torch.OutOfMemoryError))


def planner(plan):
    """Makes a family's `plan(site)`, which lists (name, enqueue, publish), callable from Rust.

    Every candidate runs twice before anybody times it: what is compiled, loaded or allocated on
    first use must be there before the device holds its stream. What torch refuses is left out.
    """

    def planned(text):
        site = Site(text)
        working, refusal = [], "nothing to try"
        for name, enqueue, publish in plan(site):
            try:
                for _ in range(2):
                    enqueue()
                if publish:
                    publish()
                site.wait()
                working.append((name, enqueue, publish))
            except FATAL:
                raise
            except RuntimeError as error:
                refusal = error
                print(f"torch: `{name}` is left out: {error}", file=sys.stderr)
        if not working:
            raise NotImplementedError(refusal)
        return working

    return planned
