#!/usr/bin/env bash
# What the course needs on a machine that has a backend (JAX or PyTorch), NumPy, pandas, scikit-learn, SciPy, Matplotlib,
# seaborn and OpenCV on Python 3.12 (Linux, x86_64), and reaches no package index: all other wheels, in a folder, and
# the same unpacked in FOLDER.tar.xz, which is smaller. benchmarks/gpu.py says how to use it there.
#   benchmarks/gpu_wheels.sh [FOLDER]        the folder is runs/gpu-wheels where not given; needs Python 3.12 (PYTHON=...)
# Names come from pyproject.toml, versions from requirements.lock. More than 70 MB of wheels are refused.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$root/runs/gpu-wheels}
python=${PYTHON:-python3.12}
most=70000000

"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null || {
  echo "$python is not Python 3.12. Expected it, because the wheels are for 3.12. Install it, or name it: PYTHON=... $0" >&2
  exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
there=(--only-binary=:all: --implementation cp --python-version 3.12 --platform manylinux1_x86_64
  --platform manylinux2014_x86_64)
for glibc in $(seq 17 39); do there+=(--platform "manylinux_2_${glibc}_x86_64"); done

# A requirement a line: what is there, and what is wanted beside it. Nobody opens JupyterLab, compares outputs or
# fetches a collection there.
"$python" - "$root/pyproject.toml" "$work" <<'PYTHON'
import re, sys, tomllib
from pathlib import Path

PRESENT = {"numpy", "pandas", "scikit-learn", "scipy", "matplotlib", "seaborn", "opencv-python-headless"}
LEFT_OUT = {"jupyterlab", "nbval", "pooch", "kagglehub", "requests"}
needs = tomllib.loads(Path(sys.argv[1]).read_text())["project"]["dependencies"]
needs = {re.match(r"[\w.-]+", need)[0].lower(): need for need in needs}
wanted = [need for name, need in needs.items() if name not in LEFT_OUT]
Path(sys.argv[2], "wanted.txt").write_text("\n".join(wanted))
Path(sys.argv[2], "present.txt").write_text("\n".join(needs[name] for name in sorted(PRESENT)))
PYTHON
sed -n 's/ *\\$//; /^[A-Za-z0-9]/p' "$root/requirements.lock" > "$work/lock.txt"

for list in wanted present; do
  "$python" -m pip install -qq --dry-run --ignore-installed --target "$work/none" "${there[@]}" -c "$work/lock.txt" \
    -r "$work/$list.txt" --report "$work/$list.json"
done
"$python" - "$work" > "$work/missing.txt" <<'PYTHON'
import json, sys
from pathlib import Path

def chosen(name):
    found = [one["metadata"] for one in json.loads(Path(sys.argv[1], f"{name}.json").read_text())["install"]]
    return {f"{one['name']}=={one['version']}" for one in found}

print("\n".join(sorted(chosen("wanted") - chosen("present"))))
PYTHON

rm -rf "$folder" "$folder.tar.xz"
mkdir -p "$folder"
"$python" -m pip download -qq --no-deps "${there[@]}" -d "$folder" -r "$work/missing.txt"
bytes=$(cat "$folder"/*.whl | wc -c)
if [ "$bytes" -gt "$most" ]; then
  echo "The wheels have $bytes bytes. Expected at most $most. The largest:" >&2
  ls -S "$folder" | head -5 >&2
  exit 1
fi
"$python" -m pip install -qq --no-index --no-deps --no-compile "${there[@]}" --target "$work/site" "$folder"/*.whl
XZ_OPT=-T0 tar cJf "$folder.tar.xz" -C "$work/site" .
mega() { awk -v bytes="$1" 'BEGIN { printf "%.1f MB", bytes / 1e6 }'; }
echo "$(ls "$folder" | wc -l) wheels, $(mega "$bytes"), in $folder"
echo "unpacked and packed again: $(mega "$(wc -c < "$folder.tar.xz")") in $folder.tar.xz"
