#!/bin/sh
# Times the benchmark's networks in C that nnc wrote and in PyTorch, in turn (A B A B), and prints the
# least times in microseconds with their ratios. In: the build folder, and PYTHON, an interpreter that
# has torch; without one only nnc is timed.
set -eu
build=${1:?usage: tests/bench/bench.sh BUILD-FOLDER}
here=$(dirname "$0")
out=$build/bench
python=${PYTHON:-python3}
mkdir -p "$out"
"$build/nnc" compile "$here/mlp.nn" -o "$out"
"$build/nnc" compile "$here/xor.nn" -o "$out"
${CC:-cc} -O2 -Iruntime -I"$out" -o "$out/bench" "$here/bench.c" "$out/mlp.c" "$out/xor.c" "$build/libnnrt.a" -lm
: >"$out/nnc.txt"
: >"$out/torch.txt"
peer=yes
"$python" -c 'import torch' 2>/dev/null || peer=
for round in 1 2; do
    "$out/bench" >>"$out/nnc.txt"
    # without these the time of PyTorch is that of page faults
    [ -z "$peer" ] || MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=2000000000 OMP_NUM_THREADS=1 \
        "$python" "$here/peer_torch.py" >>"$out/torch.txt"
done
[ -n "$peer" ] || echo "no torch for $python (PYTHON=..): nnc alone"
awk '{ key = $1 " " $2 }
     FNR == NR { if (!(key in a) || $3 < a[key]) a[key] = $3; if (!(key in seen)) { seen[key]; order[n++] = key } next }
     { if (!(key in b) || $3 < b[key]) b[key] = $3 }
     END { printf "%-12s %12s %12s %8s\n", "us, least", "nnc", "torch", "ratio"
           for (i = 0; i < n; i++) { k = order[i]
               if (k in b) printf "%-12s %12.3f %12.3f %7.1fx\n", k, a[k], b[k], b[k] / a[k]
               else printf "%-12s %12.3f %12s\n", k, a[k], "-" } }' "$out/nnc.txt" "$out/torch.txt"
