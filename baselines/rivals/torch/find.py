# Asked of the user's interpreter by a worker, before that worker embeds it: where the interpreter's
# library may lie, and which versions of the packages that take part are installed.
# It must import nothing heavy: torch alone would take seconds.
import importlib.metadata
import importlib.util
import json
import os
import sys
import sysconfig

PACKAGES = [
    "torch",
    "triton",
    "nvidia-cudnn-cu13",
    "nvidia-cudnn-cu12",
    "nvidia-cublas",
    "nvidia-cublas-cu12",
]


def versions():
    found = []
    for package in PACKAGES:
        try:
            found.append([package, importlib.metadata.version(package)])
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def libraries():
    # A distribution's own interpreter is linked statically and says where the shared library would
    # be; the loader's path may still know it by name.
    named = sysconfig.get_config_var("INSTSONAME") or sysconfig.get_config_var("LDLIBRARY") or ""
    usual = "libpython%d.%d.so.1.0" % sys.version_info[:2]
    names = [name for name in (named, usual) if ".so" in name]
    folders = [sysconfig.get_config_var("LIBDIR"), os.path.join(sys.base_prefix, "lib"), None]
    pairs = [(folder, name) for folder in folders for name in names]
    return list(dict.fromkeys(os.path.join(f, name) if f else name for f, name in pairs))


print(json.dumps({
    "executable": sys.executable,
    "version": "%d.%d.%d" % sys.version_info[:3],
    "libraries": libraries(),
    "has_torch": importlib.util.find_spec("torch") is not None,
    "packages": versions(),
}))
