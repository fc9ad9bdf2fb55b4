#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Set up fvhydra on a rented Linux box, from a checkout (docs/rented_gpu.md):
#
#   scripts/setup_linux.sh [--venv DIR] [--extras a,b] [--cache DIR] [--cpu] [--prefetch MODELS] [--constraints FILE]
#
#   --venv DIR         the virtual environment (.venv)
#   --extras a,b       what is installed with fvhydra (diffusers,sftp,zstd)
#   --cache DIR        where weights go: becomes HF_HOME in the environment; a large disk
#   --cpu              torch without CUDA
#   --prefetch MODELS  fetch these weights at the end: all, wan, a,b
#   --constraints FILE versions for pip (none)
#
# It may be run again: what is there stays. It needs Python 3.11 or newer; what making an environment with it lacks is
# installed with apt-get, as root or through sudo. At the end `fvhydra op=doctor` says whether everything is in order.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv extras=diffusers,sftp,zstd cache='' cpu='' models='' constraints=''

usage() { sed -n '3,16s/^# \{0,1\}//p' "$0"; }

while (($#)); do
    case $1 in
        --venv | --extras | --cache | --prefetch | --constraints)
            [[ ${2:-} ]] || { echo "$1 needs a value." >&2 && exit 2; }
            case $1 in
                --venv) venv=$2 ;;
                --extras) extras=$2 ;;
                --cache) cache=$2 ;;
                --prefetch) models=$2 ;;
                --constraints) constraints=$2 ;;
            esac
            shift 2
            ;;
        --cpu) cpu=yes && shift ;;
        -h | --help) usage && exit 0 ;;
        *) { echo "$1 is not known." && usage; } >&2 && exit 2 ;;
    esac
done

python=
for one in ${PYTHON:-} python3.13 python3.12 python3.11 python3; do
    if command -v "$one" >/dev/null && "$one" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        python=$one && break
    fi
done
[[ $python ]] || { echo "No Python 3.11 or newer was found; install one, or name it: PYTHON=/path/to/python $0" >&2 && exit 2; }

say() { printf '\n== %s\n' "$*"; }

say "$("$python" --version), environment $venv"
if [[ ! -x $venv/bin/python ]]; then
    "$root/scripts/setup_tests.sh" venv "$python"
    "$python" -m venv "$venv"
fi

say "fvhydra[$extras]"
pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check)
if [[ $constraints ]]; then pip+=(--constraint "$constraints"); fi
if [[ $cpu && ,$extras, == *,diffusers,* ]]; then
    "${pip[@]}" torch --index-url "${TORCH_INDEX_URL:-https://download.pytorch.org/whl/cpu}"
fi
"${pip[@]}" --editable "${root}[$extras]"

# what every command needs to know, in the environment's own activation, so that nothing is written to ~/.bashrc
if [[ $cache ]]; then
    mkdir -p "$cache"
    cache=$(cd "$cache" && pwd)
    line="export HF_HOME=$(printf %q "$cache")"
    grep -qxF "$line" "$venv/bin/activate" || echo "$line" >>"$venv/bin/activate"
    export HF_HOME=$cache
    say "weights go to HF_HOME=$cache ($(df -h --output=avail "$cache" | tail -1 | xargs) free)"
fi

if command -v nvidia-smi >/dev/null; then
    say "$(nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader)"
else
    say "no NVIDIA GPU (nvidia-smi is not there)"
fi

if [[ $models ]]; then
    say "weights: $models"
    if [[ $models == *,* ]]; then models="[$models]"; fi
    "$venv/bin/fvhydra" op=prefetch "model=$models"
fi

say "the doctor"
status=0
"$venv/bin/fvhydra" op=doctor || status=$?
say "next: source $venv/bin/activate && fvhydra --help"
exit "$status"
