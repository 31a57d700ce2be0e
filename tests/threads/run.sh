#!/bin/sh
# The same bits for any number of threads, with gcc and clang where they have OpenMP; for every
# instruction set that NN_ISA names, the same bits for all with FMA and for all without; and on
# aarch64, emulated, where there is a compiler and qemu (Debian: gcc-aarch64-linux-gnu qemu-user).
# In: the variables of tests/run.sh. Out: last "N passed, M failed".
set -u
here=tests/threads
passed=0
failed=0

check() {
    if [ "$2" = "$3" ] && [ -n "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $1: \"$2\" is not \"$3\""
    fi
}

# build COMPILER OUTPUT RUNTIME FLAGS..
build() {
    compiler=$1 output=$2 runtime=$3
    shift 3
    $compiler -O2 -std=c11 "$@" -I"$INCLUDE" -I"$SCRATCH" -o "$SCRATCH/$output" $here/main.c \
        "$SCRATCH/net.c" $runtime -lm 2>"$SCRATCH/$output.log"
}
sources=$(echo "$INCLUDE"/nn_*.c)

"$NNC" compile $here/net.nn -o "$SCRATCH" || echo "FAILED to compile $here/net.nn"
shared=$(grep -c NN_SHARE "$SCRATCH/net.c")
check "loops that threads share" "$([ "$shared" -ge 15 ] && echo many)" many
parts=$(grep -c 'for (int part = from' "$SCRATCH/net.c")
check "sums that threads share" "$([ "$parts" -ge 12 ] && echo many)" many
check "convolutions in tiles" "$(grep -c 'nn_winograd[a-z_]*(' "$SCRATCH/net.c")" 6
check "loops over slices that threads share" "$(grep -c NN_OWN_SCRATCH "$SCRATCH/net.c")" 2
# quickest by clang and with the library, which the sanitizers of another compiler do not fit
if [ -z "${SANFLAGS:-}" ] && command -v clang >/dev/null; then
    build clang one "$RUNTIME"
else
    build "${CC:-cc}" one "$sources"
fi
expected=$("$SCRATCH/one")
for cc in $COMPILERS; do
    echo 'int main(void) { return 0; }' >"$SCRATCH/empty.c"
    if ! $cc -fopenmp -o "$SCRATCH/empty" "$SCRATCH/empty.c" 2>/dev/null; then
        echo "no OpenMP with $cc: left out"
        continue
    fi
    # gcc's functions for threads must keep the instruction set of their pass; clang's do as well
    passes=
    [ $cc = gcc ] || passes="-DNN_ONE_ISA -march=native"
    build $cc $cc "$sources" -fopenmp $passes
    for threads in 1 2 3 7; do
        check "$cc, $threads threads" "$(OMP_NUM_THREADS=$threads "$SCRATCH/$cc")" "$threads ${expected#* }"
    done
done

# a word that is none of them is as if nothing were set
for isa in avx512 avx2 "" avx; do check "NN_ISA=$isa" "$(NN_ISA=$isa "$SCRATCH/one")" "$expected"; done
without=$(NN_ISA=sse2 "$SCRATCH/one")
check "NN_ISA=scalar" "$(NN_ISA=scalar "$SCRATCH/one")" "$without"
build "${CC:-cc}" plain "$sources" -DNN_SCALAR
check "plain C" "$("$SCRATCH/plain")" "$without"

if command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64 >/dev/null; then
    build aarch64-linux-gnu-gcc arm "$sources" -static
    # with FMA there as here; without FMA here there is nothing to compare with
    if [ "$expected" != "$without" ]; then check "NEON" "$(qemu-aarch64 "$SCRATCH/arm")" "$expected"; fi
else
    echo "no aarch64-linux-gnu-gcc or no qemu-aarch64: NEON is left out"
fi
echo "$passed passed, $failed failed"
