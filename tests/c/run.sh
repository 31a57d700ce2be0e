#!/bin/sh
# The C that nnc writes for the programs here and in the examples: program.sh says what is tested.
# In: the variables of tests/run.sh, and MATRIX=full for every combination of compilers and flags.
# Out: what failed, and last "N passed, M failed".
set -u
# The small examples are compared too. The large ones are trained in single precision, where Adam
# makes much of a rounding, and take a C compiler long; the programs here are like them in small.
programs() {
    ls tests/c/*.nn
    for e in graph gates xor theta descent neuron; do
        echo "examples/$e/$e.nn"
    done
}

export RUNTIMES="$SCRATCH/runtime"
mkdir "$RUNTIMES"
matrix=$(dirname "$NNC")/matrix
MATRIX=san "$matrix" --runtime >"$SCRATCH/log.san" &
"$matrix" --runtime >"$SCRATCH/log.runtime"
wait

# Every function has only instructions of its pass: _v4 has AVX-512, _v3 AVX2, others neither.
# In: an object. Out: the functions that have more.
too_wide() {
    objdump -d --no-show-raw-insn "$1" | awk '
        /^[0-9a-f]+ <.*>:$/ { f = $2; next }
        f ~ /_v4/ { next }
        f ~ /_v3/ ? /zmm|%k[0-7]|mm(1[6-9]|2[0-9]|3[01])|usi2s/ : $2 ~ /^v[a-z]/ { print f, $0 }' |
        head -n 10 | tee "$SCRATCH/wide" && [ ! -s "$SCRATCH/wide" ]
}
passes=0 wide=0
for cc in $COMPILERS; do
    [ "$(uname -m)" = x86_64 ] && command -v objdump >/dev/null || continue
    for file in kernels random; do
        $cc -O3 -c -o "$SCRATCH/$file.o" "$INCLUDE/nn_$file.c" && too_wide "$SCRATCH/$file.o" &&
            passes=$((passes + 1)) && continue
        echo "FAILED nn_$file.c by $cc: instructions of another pass"
        wide=$((wide + 1))
    done
done
echo "$passes passed, $wide failed" >"$SCRATCH/log.wide"

# two at a time, beginning with those that take longest
programs | xargs ls -S | xargs -P 2 -n 1 sh tests/c/program.sh >"$SCRATCH/log" 2>&1
cat "$SCRATCH/log.san" "$SCRATCH/log.runtime" "$SCRATCH/log.wide" >>"$SCRATCH/log"
grep -v '^[0-9]* passed, [0-9]* failed$' "$SCRATCH/log"
awk '/^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3; n++ }
     END { print p + 0 " passed, " f + (n == 0) " failed"; exit f > 0 || n == 0 }' "$SCRATCH/log"
