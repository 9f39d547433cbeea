"""Let PyTorch's wheel for Linux start without the 3 GB of CUDA libraries that it is linked with.

PyPI has one wheel for x86-64, and it loads these libraries even without a GPU. On a CPU, none of their
functions is called, apart from a few that register kernels when a library is loaded. For each missing library
this script builds a tiny one whose functions do nothing and return 100 (CUDA's code for "no device"). It is
stored next to PyTorch's own libraries, in the private environment of the benchmark.

    python without_cuda.py PATH_OF_SITE_PACKAGES/torch/lib
"""

import collections
import pathlib
import re
import subprocess
import sys
import tempfile

# Prefixes of the names that come from these libraries and not from C or C++.
PREFIXES = ("cu", "__cuda", "nccl", "nvrtc", "nvshmem", "nvJitLink")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main(folder):
    libraries = sorted(folder.glob("*.so*"))
    present = {library.name for library in libraries}
    system = {line.split()[0] for line in run("/sbin/ldconfig", "-p").splitlines()[1:] if line.strip()}
    needed, symbols, unversioned, defined = set(), collections.defaultdict(set), set(), set()
    for library in libraries:
        needed.update(re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-dW", library)))
        # Version names of other libraries are unique: each belongs to one file.
        files = {}
        current = None
        for line in run("readelf", "-VW", library).splitlines():
            if match := re.search(r"File: (\S+)", line):
                current = match[1]
            elif (match := re.search(r"Name: (\S+)", line)) and current:
                files[match[1]] = current
        for line in run("readelf", "-W", "--dyn-syms", library).splitlines():
            fields = line.split()
            if len(fields) < 8 or not fields[0].endswith(":"):
                continue
            name, _, version = fields[7].partition("@")
            version = version.strip("@")
            if fields[6] != "UND":
                defined.add(name)
            elif version in files:
                symbols[files[version], version].add(name)
            elif name.startswith(PREFIXES):
                unversioned.add(name)
    missing = sorted(library for library in needed - present - system if not library.startswith("ld-"))
    for index, library in enumerate(missing):
        nodes = {version: names for (file, version), names in symbols.items() if file == library}
        names = set().union(*nodes.values())
        if index == 0:
            names |= unversioned - defined
        with tempfile.TemporaryDirectory() as work:
            source, script = pathlib.Path(work, "stub.c"), pathlib.Path(work, "versions")
            source.write_text("".join(f"long {name}(void) {{ return 100; }}\n" for name in sorted(names)))
            script.write_text(
                "".join(
                    f"{version} {{ global: {' '.join(f'{name};' for name in sorted(names))} }};\n"
                    for version, names in nodes.items()
                )
                or "NONE { global: *; };\n"
            )
            command = ["gcc", "-shared", "-fPIC", "-w", "-fno-builtin", f"-Wl,-soname,{library}"]
            if nodes:
                command.append(f"-Wl,--version-script={script}")
            subprocess.run([*command, "-o", str(folder / library), str(source)], check=True)
    print(f"{len(missing)} empty libraries in place of CUDA's")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
