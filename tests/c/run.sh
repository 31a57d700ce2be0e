#!/bin/sh
# The C that nnc writes for the programs here and in the examples: program.sh says what is tested.
# In: the variables of tests/run.sh, and MATRIX=full for every combination of compilers and flags.
# Out: what failed, and last "N passed, M failed".
set -u
# Two examples are too large for an interpreter; attention.nn and recurrent.nn are like them.
programs() {
    ls tests/c/*.nn
    for folder in examples/*/; do
        e=$(basename "$folder")
        case $e in common | chars | gpt) ;; *) echo "$folder$e.nn" ;; esac
    done
}

# two at a time, beginning with those that take longest
programs | xargs ls -S | xargs -P 2 -n 1 sh tests/c/program.sh >"$SCRATCH/log" 2>&1
grep -v '^[0-9]* passed, [0-9]* failed$' "$SCRATCH/log"
awk '/^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3; n++ }
     END { print p + 0 " passed, " f + (n == 0) " failed"; exit f > 0 || n == 0 }' "$SCRATCH/log"
