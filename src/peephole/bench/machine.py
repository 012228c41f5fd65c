"""The stamp of a measurement: which machine, which versions, how many threads, when."""

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from peephole._version import __version__

# What kernels choose by; a processor lists a hundred more.
INSTRUCTION_SETS = (
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx512bw",
    "avx512vl",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "avx_vnni",
    "amx_tile",
    "amx_bf16",
    "asimd",
    "bf16",
    "sve",
)
LIBRARIES = ("torch", "onnxruntime", "onnx", "numpy", "gensim")
SETTINGS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Machine:
    """Where and with what a report was measured; `settings` are the environment's, of threads."""

    processor: str
    cores: int
    instruction_sets: tuple[str, ...]
    system: str
    versions: dict[str, str]
    settings: dict[str, str]
    date: str

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        sets = " ".join(self.instruction_sets) or "no instruction set known"
        return f"{self.processor}, {self.cores} cores, {sets}\n{self.system}; {versions}; {self.date}"


def this_machine() -> Machine:
    """The stamp of now and here."""
    name, flags = _processor()
    versions = {"peephole": __version__, "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return Machine(
        processor=name,
        cores=_cores(),
        instruction_sets=tuple(each for each in INSTRUCTION_SETS if each in flags),
        system=f"{platform.system()} {platform.machine()}",
        versions=versions,
        settings={setting: os.environ[setting] for setting in SETTINGS if setting in os.environ},
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def read_machine(row: dict[str, Any]) -> Machine:
    """The stamp that `asdict` made JSON of."""
    fields: dict[str, Any] = row | {"instruction_sets": tuple(row["instruction_sets"])}
    return Machine(**fields)


def _cores() -> int:
    """How many this process may use, which in a container is less than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> tuple[str, set[str]]:
    """Its name and its flags, as the system tells them."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or "unknown processor", set()
    facts = [[part.strip() for part in line.split(":", 1)] for line in text.splitlines() if ":" in line]
    found = {name: value for name, value in reversed(facts)}
    name = found.get("model name") or platform.processor() or "unknown processor"
    return name, set(found.get("flags", found.get("Features", "")).split())
