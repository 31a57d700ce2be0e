#!/bin/sh
# The benchmark: networks that nnc compiled and the same in other libraries, in turn; how cost grows;
# matrix products. In: the build folder. Out, in build/bench: networks.tsv, costs.tsv, growth.tsv,
# products.tsv, loops.tsv, flags.tsv, the tables report.md and the drawing networks.svg. tests/bench/README.md says what is
# measured. Of the environment:
#   ONLY="mlp gpt"   these parts alone: xor mlp lenet vgg lstm gpt, growth, products, loops, flags
#   QUICK=1          short, for the order of magnitude
#   THREADS=2        for every contender (1)
#   PYTHON=python3   an interpreter with any of torch, jax and onnxruntime; what it lacks is left out
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?usage: tests/bench/bench.sh BUILD-FOLDER}" && pwd)
runtime=$here/../../runtime
out=$build/bench
THREADS=${THREADS:-1} PYTHON=${PYTHON:-python3}
export THREADS
only=" ${ONLY:-xor mlp lenet vgg lstm gpt growth products loops flags} "
rounds=5 limit=1
[ -z "${QUICK:-}" ] || rounds=2 limit=0.1
mkdir -p "$out"

has() { command -v "$1" >/dev/null 2>&1; }
package() { "$PYTHON" -c "import importlib.util as u, sys; sys.exit(u.find_spec('$1') is None)" 2>/dev/null; }
wanted() { case $only in *" $1 "*) return 0 ;; esac; return 1; }

# The seconds of processor time that a command takes; fails with it
cost() {
    clock=$(sh -c '"$@" >&2 && times' sh "$@") || return 1
    echo "$clock" | awk 'NR == 2 {
        for (i = 1; i <= 2; i++) { split($i, t, /[ms]/); s += 60 * t[1] + t[2] }
        printf "%.2f", s }'
}

compilers=
for cc in gcc clang; do
    if has $cc; then compilers="$compilers $cc"; else echo "bench: no $cc" >&2; fi
done
openmp= optimise=-O2
[ "$THREADS" = 1 ] || openmp=-fopenmp

# What a network takes and gives: elements of x and t (X, T), the classes of integers in them (XC, TC), of
# the result (Y); and the multiply-adds of its products and convolutions for one sample, forwards and
# backwards (forth, back). The gradient by the input of the first layer is not asked for. N, W, S and D
# are batch, width, steps and depth.
network() {
    N=32 W=128 S=64 D=4 XC=0 TC=10 Y=10
    case $1 in
    xor) N=4 ;;
    mlp) N=64 W=256 ;;
    gpt) N=16 XC=65 TC=65 ;;
    esac
    for pair in ${2:-}; do eval "$pair"; done
    T=$N
    case $1 in
    xor) X=$((2 * N)) TC=0 Y=1 forth=6 back=8 ;;
    mlp) X=$((784 * N)) forth=$((784 * W + 10 * W)) back=$((784 * W + 2 * 10 * W)) ;;
    lenet)
        first=$((25 * 6 * 24 * 24)) rest=$((6 * 25 * 16 * 8 * 8 + 256 * 120 + 120 * 84 + 84 * 10))
        X=$((784 * N)) forth=$((first + rest)) back=$((first + 2 * rest)) ;;
    vgg)
        first=$((9 * 3 * 32 * 1024)) rest=$((9 * 32 * 32 * 1024 + 9 * (32 + 64) * 64 * 256))
        rest=$((rest + 9 * (64 + 128) * 128 * 64 + 128 * 10))
        X=$((3 * 1024 * N)) forth=$((first + rest)) back=$((first + 2 * rest)) ;;
    lstm)
        first=$((S * 64 * 4 * W)) rest=$((S * W * 4 * W + 10 * W))
        X=$((S * 64 * N)) forth=$((first + rest)) back=$((first + 2 * rest)) ;;
    gpt)
        X=$((S * N)) T=$((S * N)) Y=$((S * 65))
        forth=$((S * (D * (12 * W * W + 2 * S * W) + 65 * W))) back=$((2 * forth)) ;;
    esac
}

# model NAME CC [-D..]: compiles the network as the process $out/NAME.CC
model() {
    name=$1 cc=$2 upper=$(echo "$1" | tr a-z A-Z) flag=
    shift 2
    [ "$name" != xor ] || flag=-DSGD
    spent=$(cost "$build/nnc" compile "$here/$name.nn" -o "$out" "$@")
    built=$(cost "$cc" $optimise $openmp -I"$runtime" -c "$out/$name.c" -o "$out/$name.$cc.o")
    "$cc" -O2 $openmp -I"$runtime" -I"$out" -DMODEL="$name" -DX=$X -DX_CLASSES=$XC -DT=$T \
        -DT_CLASSES=$TC -DY=$Y -DWORK="${upper}_WORK" $flag -o "$out/$name.$cc" \
        "$here/model.c" "$out/$name.$cc.o" $(library "$cc") -lm
}

# constant NAME CC: the network with the weights of a trained one in its code, as $out/constant/NAME.CC
constant() {
    folder=$out/constant
    mkdir -p "$folder"
    [ "$1" != xor ] || return 0
    "$out/$1.$2" "$folder/$1.safetensors" &&
        "$build/nnc" compile "$here/$1.nn" -o "$folder" --entries predict --weights "$folder/$1.safetensors" &&
        "$2" -O2 $openmp -I"$runtime" -I"$folder" -DCONSTANT -DMODEL="$1" -DX=$X -DX_CLASSES=$XC -DT=$T \
            -DT_CLASSES=$TC -DY=$Y -DWORK="${upper}_WORK" -o "$folder/$1.$2" "$here/model.c" "$folder/$1.c" \
            $(library "$2") -lm
}

# The runtime: for several threads, compiled here for the OpenMP of that compiler
library() {
    if [ -z "$openmp" ]; then echo "$build/libnnrt.a" && return; fi
    for file in kernels random isa file; do
        [ "$out/nn_$file.$1.o" -nt "$build/libnnrt.a" ] ||
            "$1" -O2 $openmp -I"$runtime" -c "$runtime/nn_$file.c" -o "$out/nn_$file.$1.o"
        echo "$out/nn_$file.$1.o"
    done
}

# bytes FILE MACRO: what a generated header says a work area takes
bytes() { sed -n "s/^#define $2 //p" "$1"; }

# The processes of a network, as `turns` wants them
contenders() {
    echo "peak $out/peak"
    for cc in $compilers; do echo "nnc-$cc OMP_NUM_THREADS=$THREADS OMP_PROC_BIND=true $out/$1.$cc"; done
    for cc in $compilers; do
        [ ! -x "$out/constant/$1.$cc" ] ||
            echo "nnc-$cc-weights OMP_NUM_THREADS=$THREADS OMP_PROC_BIND=true $out/constant/$1.$cc"
    done
    # without the first two the time of PyTorch is that of page faults
    torch="MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=2000000000 OMP_NUM_THREADS=$THREADS $PYTHON $here/peer_torch.py"
    if package torch; then
        echo "torch $torch $1 $THREADS eager"
        echo "compile $torch $1 $THREADS compile"
    fi
    if package jax; then echo "jax $PYTHON $here/peer_jax.py $1 $THREADS"; fi
    if package onnxruntime && package torch && package onnx; then
        [ -s "$out/$1.onnx" ] || $PYTHON "$here/peer_torch.py" "$1" 1 export "$out/$1.onnx" >"$out/export.log" 2>&1 &&
            echo "ort $PYTHON $here/peer_ort.py $out/$1.onnx $THREADS"
    fi
}

networks() {
    for name in xor mlp lenet vgg lstm gpt; do
        wanted $name || continue
        echo "bench: $name" >&2
        network $name
        sed -i.old "/^$name /d" "$out/costs.tsv" "$out/networks.tsv"
        for cc in $compilers; do
            model $name "$cc"
            constant $name "$cc"
            upper=$(echo $name | tr a-z A-Z)
            echo "$name $cc $spent $built $(size "$out/$name.$cc.o" | awk 'NR == 2 { print $1 }')" \
                "$(bytes "$out/$name.h" ${upper}_TRAIN_WORK) $(bytes "$out/$name.h" ${upper}_PREDICT_WORK)" >>"$out/costs.tsv"
        done
        tasks="peak train infer"
        [ $name != xor ] || tasks="$tasks sgd"
        contenders $name | "$out/turns" $rounds $limit $tasks 2>"$out/$name.log" |
            awk -v name=$name -v train=$((2 * N * (forth + back))) -v sgd=$((2 * N * (forth + back))) -v infer=$((2 * forth)) '
                { flop["train"] = train; flop["sgd"] = sgd; flop["infer"] = infer }
                $2 == "peak" { peak = $3; next }
                { print name, $2, $1, $3, peak ? flop[$2] * peak / 1e6 : 0 }' >>"$out/networks.tsv"
        grep '^bench:' "$out/$name.log" >&2 || true
    done
}

# Time against the floor as a network grows: lines "NETWORK SIZES TASK MICROSECONDS FLOOR"
growth() {
    widths="64 256 1024 4096" batches="1 16 256 1024" depths="1 2 4 8" contexts="16 64 256"
    [ -z "${QUICK:-}" ] || widths="64 1024" batches="1 256" depths=1 contexts=16
    : >"$out/growth.tsv"
    for w in $widths; do grown mlp "W=$w" "WIDTH=$w"; done
    for n in $batches; do grown mlp "N=$n" "N=$n"; done
    for d in $depths; do grown gpt "D=$d" "DEPTH=$d"; done
    for t in $contexts; do grown gpt "S=$t" "T=$t"; done
}

# grown NETWORK SIZE DEFINITION: one of them, as network and nnc call the size
grown() {
    echo "bench: $1 with $3" >&2
    network "$1" "$2"
    model "$1" "$cc" -D "$3"
    printf 'peak %s\nnnc %s\n' "$out/peak" "$out/$1.$cc" |
        "$out/turns" $rounds $limit peak train infer |
        awk -v name="$1" -v size="$3" -v train=$((2 * N * (forth + back))) -v infer=$((2 * forth)) '
            $2 == "peak" { peak = $3; next }
            { print name, size, $2, $3, ($2 == "train" ? train : infer) * peak / 1e6 }' >>"$out/growth.tsv"
}

# Products of the runtime and of libraries, where there are any: lines "LIBRARY PRODUCT MICROSECONDS"
products() {
    flags="-O2 -I$runtime"
    $cc $flags -o "$out/product" "$here/product.c" "$build/libnnrt.a" -lm
    # OpenBLAS takes processors with AVX-512 that it does not know for ones without
    core=
    ! grep -qs avx512f /proc/cpuinfo || core=OPENBLAS_CORETYPE=SkylakeX
    tasks=
    for size in 1024x1024x1024 256x256x256 64x784x256 64x256x10 32x128x128 1x784x256 4096x27x16 16x16x16 8x8x8; do
        for form in nn nt tn; do tasks="$tasks $form:$size"; done
    done
    list="peak $out/peak
nnc $out/product$tasks"
    for library in ONEDNN:dnnl LIBXSMM:xsmm OPENBLAS:openblas; do
        lib=${library#*:} link=-l${library#*:}
        [ $lib != xsmm ] || link="-lxsmm -lxsmmnoblas -ldl -lpthread"
        if $cc $flags -D"${library%:*}" -o "$out/product.$lib" "$here/product.c" "$build/libnnrt.a" $link -lm \
            2>>"$out/products.log"; then
            list="$list
$lib OMP_NUM_THREADS=$THREADS OPENBLAS_NUM_THREADS=$THREADS $core $out/product.$lib$tasks"
        else
            echo "bench: no $lib" >&2
        fi
    done
    echo "$list" | "$out/turns" $rounds 0.1 peak $tasks >"$out/products.tsv"
}

# Loops over arrays that fit each cache: lines "COMPILER-LEVEL TASK MICROSECONDS ELEMENTS"
loops() {
    : >"$out/loops.tsv"
    for level in L1=4 L2=128 L3=2048; do
        rows=${level#*=} list=
        "$build/nnc" compile "$here/loops.nn" -o "$out" -D ROWS=$rows
        for cc in $compilers; do
            "$cc" -O2 -I"$runtime" -I"$out" -DCOUNT=$((256 * rows)) -o "$out/loops.$rows.$cc" "$here/loops.c" \
                "$out/loops.c" "$build/libnnrt.a" -lm
            list="$list$cc-${level%=*} $out/loops.$rows.$cc
"
        done
        printf %s "$list" | "$out/turns" $rounds 0.1 copy bias_relu tanh exp gelu sum softmax layer_norm adam |
            sed "s/\$/ $((256 * rows))/" >>"$out/loops.tsv"
    done
}

# The same C with -O2 and with all that the compiler has: lines "NETWORK TASK COMPILER-FLAGS MICROSECONDS"
flags() {
    : >"$out/flags.tsv"
    networks="xor mlp lenet vgg lstm gpt"
    [ -z "${QUICK:-}" ] || networks="mlp lenet lstm"
    for name in $networks; do
        echo "bench: flags of $name" >&2
        network $name
        list=
        for cc in $compilers; do
            for level in -O2 "-O3 -march=native"; do
                optimise=$level
                model $name "$cc"
                mv "$out/$name.$cc" "$out/$name.$cc${level%% *}"
                list="$list$cc${level%% *} $out/$name.$cc${level%% *}
"
            done
        done
        optimise=-O2
        printf %s "$list" | "$out/turns" $rounds $limit train infer | awk -v name=$name '{ print name, $2, $1, $3 }' >>"$out/flags.tsv"
    done
}

cc=$(echo $compilers | awk '{ print $1 }')
for helper in turns peak; do $cc -O2 -o "$out/$helper" "$here/$helper.c"; done
for package in torch jax onnxruntime; do package $package || echo "bench: no $package for $PYTHON (PYTHON=..)" >&2; done
for table in networks costs growth products loops flags; do touch "$out/$table.tsv"; done
networks
if wanted growth; then growth; fi
if wanted products; then products; fi
if wanted loops; then loops; fi
if wanted flags; then flags; fi
awk -f "$here/report.awk" table=networks "$out/networks.tsv" table=costs "$out/costs.tsv" \
    table=growth "$out/growth.tsv" table=products "$out/products.tsv" \
    table=loops "$out/loops.tsv" table=flags "$out/flags.tsv" >"$out/report.md"
awk -f "$here/draw.awk" "$out/networks.tsv" >"$out/networks.svg"
cat "$out/report.md"
