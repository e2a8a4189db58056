#!/usr/bin/env bash
# What benchmarks/gpu.py says is to be done on a machine that is lent for minutes, done here, on the processor, with few
# images: an environment that holds a backend and the few packages that are there, a copy of the checkout, what is
# carried, and nothing else. The first call is cut; then that machine is forgotten, and another goes on.
#   benchmarks/gpu_rehearsal.sh jax|torch [FOLDER]       the folder keeps the environment (torch: 5 GB); needs Python 3.12
# VERSIONS="numpy==2.5.2 jax==0.11.2" names the versions that are there. The cut comes after MINUTES (2).
set -euo pipefail
cd "$(dirname "$0")/.."
backend=${1:-}
case $backend in jax | torch) ;; *)
  echo "usage: benchmarks/gpu_rehearsal.sh jax|torch [FOLDER]; received '$backend'" >&2
  exit 2
  ;;
esac
folder=${2:-${TMPDIR:-/tmp}/gpu-rehearsal-$backend}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
[ -f runs/gpu-wheels.tar.xz ] || benchmarks/gpu_wheels.sh
if [ ! -f "$folder/environment/complete" ]; then
  "${PYTHON:-python3.12}" -m venv --clear "$folder/environment"
  # shellcheck disable=SC2086
  "$folder/environment/bin/python" -m pip install -qq "$backend" numpy pandas scikit-learn scipy matplotlib seaborn \
    opencv-python-headless ${VERSIONS:-}
  touch "$folder/environment/complete"
fi
"$folder/environment/bin/python" -m pip list --format freeze | tr '\n' ' '

# One call on a bare machine, word for word as gpu.py gives it, but for the backend, the few images and the places.
call() {
  rm -rf "$folder/machine" "$folder/site" "$folder/out" "$folder/home"
  mkdir -p "$folder/machine" "$folder/out" "$folder/home"
  git ls-files -z --cached --others --exclude-standard | tar c --null -T - | tar x -C "$folder/machine"
  mkdir "$folder/machine/runs"
  cp -r runs/gpu-wheels.tar.xz "$folder/machine/runs/"
  cp -r "$folder/state" "$folder/machine/runs/gpu"
  size=$(du -sb --apparent-size "$folder/machine" | cut -f1)
  echo; echo "What travels has $size bytes; at most 64 MiB, $((64 * 1024 * 1024)), may."
  [ "$size" -le $((64 * 1024 * 1024)) ] || exit 1
  commands=$(sed -n '/^    export /,/^    mkdir -p runs/s/^    //p' benchmarks/gpu.py)
  commands=${commands//jax/$backend}
  commands=${commands//\/tmp\/site/$folder/site}
  commands=${commands/--minutes 9/--rehearse --minutes $1}
  status=0
  (cd "$folder/machine" && env -i HOME="$folder/home" PATH="$folder/environment/bin:/usr/bin:/bin" OUT="$folder/out" \
    bash -c "$commands") || status=$?
  rm -rf "$folder/state"
  cp -r "$folder/out/gpu" "$folder/state"
}

rm -rf "$folder/state"
mkdir "$folder/state"
call "${MINUTES:-2}"
[ "$status" = 3 ] || { echo "The first call ended with $status. Expected 3: time is up." >&2; exit 1; }
call 60
ls -l "$folder/state"
[ "$(ls "$folder/state" | wc -l)" -le 8 ] && [ -z "$(find "$folder/state" -size +16M)" ]
echo "rehearsed on $backend; the last call ended with $status"
exit "$status"
