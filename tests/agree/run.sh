#!/bin/sh
# Networks against PyTorch: agree.c says how. In: the variables of tests/run.sh. Out: the worst
# difference of every entry, and last "N passed, M failed".
set -u
agree=$(dirname "$NNC")/agree
command -v clang >/dev/null && export CC=clang # a tenth of gcc's time

# two at a time, each in a process of its own
ls -S tests/agree/*.nn | xargs -P 2 -n 1 "$agree" >"$SCRATCH/log" 2>&1
grep -v '^[0-9]* passed, [0-9]* failed$' "$SCRATCH/log"
awk -v files="$(ls tests/agree/*.nn | wc -l)" '
    /^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3; n++ }
    END { f += files - n; print p + 0 " passed, " f " failed"; exit f > 0 }' "$SCRATCH/log"
