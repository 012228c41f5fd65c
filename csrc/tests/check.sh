#!/usr/bin/env bash
# Runs the compiled kernels under sanitizers and on another processor. From anywhere:
#
#   csrc/tests/check.sh plain | asan | tsan | aarch64 | all
#
# Needs cmake, ninja and GCC; `asan` also the Python environment of `make setup` with nanobind in it (PYTHON names
# another interpreter), and without these runs the driver alone; `aarch64` needs aarch64-linux-gnu-g++ and
# qemu-aarch64-static, and is skipped without. JOBS is how many compilers run at once, SETS which of x86's instruction
# sets are compiled besides the portable one (empty: none; under asan each takes four minutes). What it builds lies in
# build/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PYTHON=${PYTHON:-$PWD/.venv/bin/python}
SETS=${SETS-avx2;avx512;avx512bf16}
# Threads that wait sleep: the driver asks for more of them than there may be cores.
export OMP_WAIT_POLICY=passive
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export ASAN_OPTIONS=detect_stack_use_after_return=0

build() { # folder, targets, options of cmake
  local folder=build/$1 targets=$2
  shift 2
  cmake -G Ninja -S csrc -B "$folder" -DPEEPHOLE_DRIVER=ON -DPEEPHOLE_SETS="$SETS" "$@" >/dev/null
  # shellcheck disable=SC2086
  cmake --build "$folder" -j "${JOBS:-1}" --target $targets
}

plain() {
  build driver driver -DPEEPHOLE_PYTHON=OFF -DCMAKE_CXX_FLAGS_RELEASE=-O2
  build/driver/driver --every 1
}

asan() {
  local options=(-DPEEPHOLE_SANITIZE=address,undefined -DCMAKE_CXX_FLAGS_RELEASE=-O1)
  local nanobind
  if ! nanobind=$("$PYTHON" -c 'import torch, pytest, nanobind; print(nanobind.cmake_dir())' 2>/dev/null); then
    echo "the Python tests are skipped: $PYTHON has no nanobind, torch or pytest" >&2
    build asan driver -DPEEPHOLE_PYTHON=OFF "${options[@]}"
    build/asan/driver
    return
  fi
  options+=(-DPEEPHOLE_PYTHON=ON -DPython_EXECUTABLE="$PYTHON" -Dnanobind_DIR="$nanobind")
  build asan "driver _core" "${options[@]}"
  build/asan/driver
  # The package with the sanitized module in it, beside the installed one.
  rm -rf build/asan/python
  mkdir build/asan/python
  cp -r src/peephole build/asan/python/
  rm -f build/asan/python/peephole/_native/_core*
  cp build/asan/_core*.so build/asan/python/peephole/_native/
  # Python itself leaks, and torch throws across the runtime's interceptors: libstdc++ has to be there before them.
  ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 \
    LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libstdc++.so)" \
    PYTHONPATH=$PWD/build/asan/python PYTHONDONTWRITEBYTECODE=1 \
    "$PYTHON" -m pytest -q -p no:cacheprovider tests/native/test_{layer,recomputing,threads,values}.py \
    tests/streams/test_{stream,drawing,low_precision}.py "$@"
}

tsan() {
  # Who meets whom is the same code for every instruction set.
  build tsan driver -DPEEPHOLE_PYTHON=OFF -DPEEPHOLE_SETS= -DPEEPHOLE_STD_THREADS=ON -DPEEPHOLE_SANITIZE=thread \
    -DCMAKE_CXX_FLAGS_RELEASE=-O1
  # Without address randomisation, which some kernels make wider than GCC's runtime knows.
  TSAN_OPTIONS=halt_on_error=1 setarch "$(uname -m)" -R build/tsan/driver --every 11
}

aarch64() {
  local tool
  for tool in aarch64-linux-gnu-g++ qemu-aarch64-static; do
    if ! command -v "$tool" >/dev/null; then
      echo "aarch64 is skipped: no $tool" >&2
      return
    fi
  done
  build aarch64 driver -DPEEPHOLE_PYTHON=OFF -DCMAKE_TOOLCHAIN_FILE="$PWD/csrc/tests/aarch64.cmake" \
    -DCMAKE_CXX_FLAGS_RELEASE=-O2
  qemu-aarch64-static -L /usr/aarch64-linux-gnu build/aarch64/driver --every 19
}

case "${1:-}" in
  plain | asan | tsan | aarch64) "$@" ;;
  all) plain && asan && tsan && aarch64 ;;
  *)
    sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
