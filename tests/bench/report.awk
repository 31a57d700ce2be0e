# report.awk - the tables of report.md. In: with table=networks lines NETWORK TASK CONTENDER MICROSECONDS
# FLOOR, with costs NETWORK COMPILER NNC-SECONDS CC-SECONDS CODE TRAIN-WORK PREDICT-WORK, with growth
# NETWORK SIZE TASK MICROSECONDS FLOOR, with products LIBRARY PRODUCT MICROSECONDS, with loops
# COMPILER-LEVEL LOOP MICROSECONDS ELEMENTS, with flags NETWORK TASK COMPILER-FLAGS MICROSECONDS.
function number(x) { return x < 10 ? sprintf("%.3f", x) : x < 1000 ? sprintf("%.1f", x) : sprintf("%.0f", x) }
function add(list, key, seen) { if (!((list, key) in seen)) { seen[list, key]; item[list, ++count[list]] = key } }
table == "networks" {
    row = $1 " " $2
    add("row", row, known)
    add("peer", $3, known)
    us[row, $3] = $4
    if ($5 > 0) floor_us[row] = $5
}
table == "costs" { costs[++cost] = $0 }
table == "growth" { grown[++growth] = $0 }
table == "products" && $2 == "peak" { peak = 1e6 / $3 }
table == "products" && $2 != "peak" {
    add("library", $1, known)
    add("product", $2, known)
    took[$2, $1] = $3
}
table == "loops" {
    split($1, at, "-")
    add("level", at[2], known)
    if ($2 != "copy") add("loop", $2, known)
    ns = 1000 * $3 / $4
    each[at[2], $2] = each[at[2], $2] sprintf("%s%.3f", (at[2], $2) in element ? " / " : "", ns)
    if (!((at[2], $2) in element) || ns < element[at[2], $2]) element[at[2], $2] = ns
}
table == "flags" {
    add("flagged", $1 " " $2, known)
    add("flags", $3, known)
    flagged[$1 " " $2, $3] = $4
}
# The head of a table: what stands first, a column for each item of the list, what stands behind
function head(first, list, last,    columns, i, line) {
    line = "| " first " |"
    for (i = 1; i <= count[list]; i++) line = line " " item[list, i] " |"
    line = line last
    columns = gsub(/\|/, "|", line)
    print line
    for (line = "|"; columns > 1; columns--) line = line "-|"
    print line
}
function networks(    line, p, r, row, best, t, f, mine, i) {
    print "Microseconds, least of many in turn; in brackets how much longer than nnc with the faster compiler."
    print "The floor is the arithmetic of products and convolutions at the measured peak of FMA instructions.\n"
    head("network | floor | nnc / floor", "peer", "")
    for (r = 1; r <= count["row"]; r++) {
        row = item["row", r]
        best = 0
        for (p = 1; p <= count["peer"]; p++) {
            t = us[row, item["peer", p]]
            if (item["peer", p] ~ /^nnc/ && t && (!best || t < best)) best = t
        }
        f = floor_us[row]
        line = "| " row " | " (f ? number(f) : "") " | " (f && best ? sprintf("%.0f %%", 100 * f / best) : "") " |"
        for (p = 1; p <= count["peer"]; p++) {
            t = us[row, item["peer", p]]
            mine = item["peer", p] ~ /^nnc/
            line = line " " (t ? number(t) (mine || !best ? "" : sprintf(" (%.2f)", t / best)) : "-") " |"
        }
        print line
    }
    print "\nWhat a network costs: processor seconds of nnc and of the compiler, bytes of code and of the work areas.\n"
    print "| network | compiler | nnc s | cc s | code | work, train | work, predict |\n|-|-|-|-|-|-|-|"
    for (i = 1; i <= cost; i++) {
        line = costs[i]
        gsub(/ /, " | ", line)
        print "| " line " |"
    }
}
function growths(    i, f) {
    print "\nHow cost grows: microseconds against the floor.\n"
    print "| network | size | task | time | floor | time / floor |\n|-|-|-|-|-|-|"
    for (i = 1; i <= growth; i++) {
        split(grown[i], f, " ")
        printf "| %s | %s | %s | %s | %s | %.2f |\n", f[1], f[2], f[3], number(f[4]), number(f[5]), f[4] / f[5]
    }
}
function products(    p, l, line, size, flop, best, mine, t) {
    printf "\nProducts (form: m x k x n), GFLOP/s; the peak is %.0f.\n\n", peak / 1000
    head("product", "library", " best peer / nnc |")
    for (p = 1; p <= count["product"]; p++) {
        split(item["product", p], size, /[:x]/)
        flop = 2 * size[2] * size[3] * size[4]
        line = "| " item["product", p] " |"
        best = mine = 0
        for (l = 1; l <= count["library"]; l++) {
            t = took[item["product", p], item["library", l]]
            line = line " " (t ? sprintf("%.1f", flop / t / 1000) : "-") " |"
            if (t && item["library", l] == "nnc") mine = t
            else if (t && (!best || t < best)) best = t
        }
        print line " " (best && mine ? sprintf("%.2f", best / mine) : "") " |"
    }
}
# The bytes of an element that a loop reads and writes; a copy moves 8
function moved(loop) { return loop == "sum" ? 4 : loop == "adam" ? 28 : 8 }
function loops(    l, i, line, level, ns, least) {
    print "\nLoops, nanoseconds an element with gcc / clang, for arrays that fit each cache; in brackets the"
    print "time that memcpy takes to move as many bytes there, as a share of the less.\n"
    head("loop | bytes", "level", "")
    for (l = 1; l <= count["loop"]; l++) {
        line = "| " item["loop", l] " | " moved(item["loop", l]) " |"
        for (i = 1; i <= count["level"]; i++) {
            level = item["level", i]
            ns = element[level, item["loop", l]]
            least = element[level, "copy"] * moved(item["loop", l]) / 8
            line = line sprintf(" %s (%.0f %%) |", each[level, item["loop", l]], 100 * least / ns)
        }
        print line
    }
}
function flags(    i, f, line, name) {
    print "\nThe same C compiled with -O2 and with -O3 -march=native, microseconds.\n"
    line = ""
    for (f = 2; f <= count["flags"]; f += 2) {
        split(item["flags", f], name, "-")
        line = line " " name[1] ": O3 / O2 |"
    }
    head("network", "flags", line)
    for (i = 1; i <= count["flagged"]; i++) {
        line = "| " item["flagged", i] " |"
        for (f = 1; f <= count["flags"]; f++) line = line " " number(flagged[item["flagged", i], item["flags", f]]) " |"
        for (f = 2; f <= count["flags"]; f += 2)
            line = line sprintf(" %.2f |", flagged[item["flagged", i], item["flags", f]] / flagged[item["flagged", i], item["flags", f - 1]])
        print line
    }
}
END {
    if (count["row"]) networks()
    if (growth) growths()
    if (count["product"]) products()
    if (count["loop"]) loops()
    if (count["flagged"]) flags()
}
