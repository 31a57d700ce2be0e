#!/bin/sh
# The C of one program. Compared with the interpreter by matrix.c, plainly and under the sanitizers;
# free of warnings as C++17, too; linked with a C++ program through its header; the same bytes
# whenever and wherever it is written. In: the .nn file, and the variables of tests/run.sh.
# Out: what failed, "N passed, M failed".
set -u
file=$1
name=$(basename "$file" .nn)
dir=$SCRATCH/$name
matrix=$(dirname "$NNC")/matrix
. tests/check.sh
mkdir -p "$dir/f32" "$dir/f64" "$dir/again" "$dir/here"
log=$dir/log

compiled() { # COMPILER STANDARD FILE.. : without a warning
    cc=$1 std=$2
    shift 2
    "$cc" -std="$std" -Wall -Wextra -Wshadow -pedantic -Werror -I"$INCLUDE" "$@" -I"$dir/f32"
}
c11() { cc=$1 && shift && compiled "$cc" c11 -Wconversion "$@"; }

cplusplus() { compiled g++ c++17 "$@"; }

# A program that mentions every function that the header declares.
user_of() {
    echo "#include \"$name.h\""
    echo "int main() {"
    echo "    const void *all[] = {"
    grep -o "\\b${name}_[A-Za-z0-9_]*(" "$1" | sort -u | sed 's/\(.*\)(/        (const void *)\1,/'
    echo "    };"
    echo "    return all[0] == nullptr;"
    echo "}"
}
linked() { # OBJECT
    user_of "$dir/f32/$name.h" >"$dir/user.cpp" &&
        cplusplus ${SANFLAGS:-} -o "$dir/user" "$dir/user.cpp" "$1" "$RUNTIME" -lm &&
        "$dir/user"
}

same_bytes() { # FOLDER COMMAND..
    folder=$1
    shift
    "$@" && cmp "$folder/$name.c" "$dir/f32/$name.c" && cmp "$folder/$name.h" "$dir/f32/$name.h"
}
elsewhere() { (cp "$file" "$dir/here" && cd "$dir/here" && "$NNC" compile "$name.nn"); }

check "nnc compile" "$NNC" compile "$file" -o "$dir/f32"
check "nnc compile --real f64" "$NNC" compile "$file" -o "$dir/f64" --real f64
check "the same bytes again" same_bytes "$dir/again" "$NNC" compile "$file" -o "$dir/again"
check "the same bytes elsewhere" same_bytes "$dir/here" elsewhere
for locale in C C.UTF-8 de_DE.UTF-8; do
    rm -f "$dir/again/"*
    check "the same bytes in $locale" \
        same_bytes "$dir/again" env LC_ALL=$locale "$NNC" compile "$file" -o "$dir/again"
done
rm -f "$dir/again/"*
check "the same bytes without address randomisation" \
    same_bytes "$dir/again" setarch -R "$NNC" compile "$file" -o "$dir/again"

# matrix.c compiles with the warnings of C11, except as gcc's vector code of every instruction set
check "gcc: warnings, every instruction set" c11 gcc -fsyntax-only "$dir/f32/$name.c"
check "g++: all of it C++, warnings" cplusplus -x c++ -fsyntax-only "$dir/f32/$name.c"
case $COMPILERS in *clang*) c=clang cxx=clang++ ;; *) c=gcc cxx=g++ ;; esac
check "$c: C for a C++ program" c11 $c -O0 -DNN_ONE_ISA -c -o "$dir/c.o" "$dir/f32/$name.c"
check "$c: C in a C++ program" linked "$dir/c.o"
check "$cxx: all of it C++" \
    compiled $cxx c++17 -O0 -DNN_ONE_ISA -x c++ -c -o "$dir/cpp.o" "$dir/f32/$name.c"
check "$cxx: all of it C++, linked" linked "$dir/cpp.o"

[ -n "${SANFLAGS:-}" ] || tally "$matrix" "$file"
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 MATRIX=san
tally env LD_PRELOAD="$(gcc -print-file-name=libasan.so)" "$matrix" "$file"
echo "$passed passed, $failed failed"
