# Sourced by the scripts beside it. They all run at the root of the checkout, for the interpreter $PYTHON, and
# keep what they make in build/$tag and .venv/$tag. The tag is the full version with the ABI flags
# (3.13.0, 3.14.10d): two interpreters that share a cache tag do not share a build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON=${PYTHON:-python3}
tag=$("$PYTHON" -c 'import platform, sys; print(platform.python_version() + sys.abiflags)')
build=build/$tag
venv=.venv/$tag
reports=${FZA_REPORTS:-$build/reports} # JUnit files
export PATH="$PWD/$venv/bin:$PATH" PIP_DISABLE_PIP_VERSION_CHECK=1

# Most of the C++ is the same for every interpreter: where ccache is there, it is compiled once.
command -v ccache >/dev/null && export CMAKE_CXX_COMPILER_LAUNCHER=ccache

say() { printf '%s\n' "$*"; }

# quietly LOG COMMAND...: the output goes to LOG; its end is shown when the command fails.
quietly() {
  local log=$1 status=0
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 || status=$?
  ((status == 0)) || { tail -n 60 "$log"; say "failed ($status): $*; whole log: $log"; } >&2
  return "$status"
}

# need PACKAGE...: these Debian packages are there, or are installed now (as root), or are named.
need() {
  command -v dpkg-query >/dev/null || return 0 # another system: CMake or the compiler names what is missing
  local missing=() package
  for package; do
    [[ $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) == *"ok installed" ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  if ((EUID != 0)); then
    say "these system packages are missing; install them with: sudo apt-get install ${missing[*]}" >&2
    return 1
  fi
  say "installing ${missing[*]}"
  quietly build/apt.log apt-get update -qq
  DEBIAN_FRONTEND=noninteractive quietly build/apt.log apt-get install -y -qq "${missing[@]}"
}

# need_python: $PYTHON can make a virtual environment and has its headers.
need_python() {
  local short
  short=$("$PYTHON" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
  "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || need "$short-venv"
  "$PYTHON" -c 'import os, sysconfig; open(sysconfig.get_config_h_filename()).close()' 2>/dev/null ||
    need "$short-dev"
}

# install_requirements EXTRA...: into the virtual environment, what building, running and the named extras and
# dependency groups of pyproject.toml need; nothing when that was done before.
install_requirements() {
  local wanted stamp lock
  wanted=$("$PYTHON" .ci/requirements.py build "$@")
  stamp=$venv/.has-${*:-nothing-else}
  stamp=${stamp// /-}
  [[ -e $stamp && $(<"$stamp") == "$wanted" ]] && return
  mkdir -p .venv
  exec {lock}>"$venv.lock" # pip knows no lock of its own
  flock "$lock"
  if [[ ! -x $venv/bin/python ]]; then
    need_python
    quietly "$build/venv.log" "$PYTHON" -m venv "$venv"
  fi
  say "installing what $tag needs into $venv"
  mapfile -t requirements <<<"$wanted"
  # what is imported is compiled then; all of pandas takes a debug build minutes
  quietly "$build/pip.log" "$venv/bin/python" -m pip install --no-compile "${requirements[@]}"
  # mimalloc's package would have every interpreter import pathlib when it starts, and tests start thousands
  rm -f "$venv"/lib/python*/site-packages/cmeel.pth
  printf '%s\n' "$wanted" >"$stamp"
  exec {lock}>&-
}

# try_requirements EXTRA...: like install_requirements, one at a time, ready-made wheels only; what cannot be had for
# this interpreter is named, and is no error. Tried once.
try_requirements() {
  local stamp=$venv/.tried-$* requirement
  stamp=${stamp// /-}
  [[ -e $stamp && $stamp -nt pyproject.toml ]] && return
  "$PYTHON" .ci/requirements.py "$@" | while read -r requirement; do
    quietly "$build/pip-peers.log" "$venv/bin/python" -m pip install --only-binary :all: "$requirement" 2>/dev/null ||
      say "not to be had for $tag: $requirement"
  done
  touch "$stamp"
}

# install_package: builds the wheel in $build/cmake and installs it; nothing when no source is newer.
# Under a debug interpreter the wheel is an audit build.
install_package() {
  local stamp=$build/.installed audit=OFF
  [[ $tag == *d ]] && audit=ON
  [[ -e $stamp && -e $venv/bin/frozen-arena &&
    -z $(find CMakeLists.txt pyproject.toml README.md LICENSE arena allocator python -newer "$stamp" -print -quit) ]] && return
  say "building frozen-arena for $tag"
  rm -rf "$build/dist"
  mkdir -p "$build"
  touch "$stamp.begun" # what is edited while this builds is newer
  quietly "$build/wheel.log" "$venv/bin/python" -m pip wheel . --no-build-isolation --no-deps \
    --wheel-dir "$build/dist" --config-settings build-dir="$build/cmake" \
    --config-settings cmake.define.FZA_WERROR=ON --config-settings "cmake.define.FZA_AUDIT=$audit"
  quietly "$build/install.log" "$venv/bin/python" -m pip install --no-deps --force-reinstall "$build"/dist/*.whl
  mv "$stamp.begun" "$stamp"
}
