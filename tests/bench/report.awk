# report.awk - the tables of report.md. In: with table=networks lines NETWORK TASK CONTENDER MICROSECONDS
# FLOOR, with costs NETWORK COMPILER NNC-SECONDS CC-SECONDS CODE TRAIN-WORK PREDICT-WORK, with growth
# NETWORK SIZE TASK MICROSECONDS FLOOR, with products LIBRARY PRODUCT MICROSECONDS.
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
function networks(    line, rule, p, r, row, best, t, f, mine, i) {
    print "Microseconds, least of many in turn; in brackets how much longer than nnc with the faster compiler."
    print "The floor is the arithmetic of products and convolutions at the measured peak of FMA instructions.\n"
    line = "| network | floor | nnc / floor |"
    rule = "|-|-|-|"
    for (p = 1; p <= count["peer"]; p++) { line = line " " item["peer", p] " |"; rule = rule "-|" }
    print line "\n" rule
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
function products(    p, l, line, rule, size, flop, best, mine, t) {
    printf "\nProducts (form: m x k x n), GFLOP/s; the peak is %.0f.\n\n", peak / 1000
    line = "| product |"
    rule = "|-|"
    for (l = 1; l <= count["library"]; l++) { line = line " " item["library", l] " |"; rule = rule "-|" }
    print line " best peer / nnc |\n" rule "-|"
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
END {
    if (count["row"]) networks()
    if (growth) growths()
    if (count["product"]) products()
}
