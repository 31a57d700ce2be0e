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

# two at a time, beginning with those that take longest
programs | xargs ls -S | xargs -P 2 -n 1 sh tests/c/program.sh >"$SCRATCH/log" 2>&1
cat "$SCRATCH/log.san" "$SCRATCH/log.runtime" >>"$SCRATCH/log"
grep -v '^[0-9]* passed, [0-9]* failed$' "$SCRATCH/log"
awk '/^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3; n++ }
     END { print p + 0 " passed, " f + (n == 0) " failed"; exit f > 0 || n == 0 }' "$SCRATCH/log"
