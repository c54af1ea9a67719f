# bench/table.awk: a table from lines of clock (time or CPU), side, round, value.
#	awk -f table.awk -v title=... -v unit=... -v sides='a b' -v pairs='a/b b/a' FILE

{ value[$1, $2, $3] = $4; rounds[$3] = 1; clocks[$1] = 1 }

# sorts list[1..n], sets median, least, most
function summarize(n,    i, j, v) {
	for (i = 2; i <= n; i++) {
		v = list[i]
		for (j = i - 1; j >= 1 && list[j] > v; j--)
			list[j + 1] = list[j]
		list[j + 1] = v
	}
	least = list[1]; most = list[n]
	median = n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

function digits(v) { return v >= 1000 ? "%.0f" : v >= 10 ? "%.1f" : "%.2f" }

function cell(n,    f) {
	if (n == 0)
		return "|"
	summarize(n)
	f = digits(median)
	return sprintf(" " f " (" f ".." f ") |", median, least, most)
}

function of_side(clock, side,    n, r) {
	n = 0
	for (r in rounds)
		if ((clock, side, r) in value)
			list[++n] = value[clock, side, r]
	return n
}

function of_pair(clock, a, b,    n, r) {
	n = 0
	for (r in rounds)
		if ((clock, a, r) in value && (clock, b, r) in value && value[clock, b, r] > 0)
			list[++n] = value[clock, a, r] / value[clock, b, r]
	return n
}

END {
	nsides = split(sides, side, " ")
	npairs = split(pairs, pair, " ")
	cpu = "CPU" in clocks
	printf "**%s**\n\n| median (min..max) | %s |%s\n| --- | --- |%s\n", title, unit, \
		cpu ? " of that on a CPU |" : "", cpu ? " --- |" : ""
	for (s = 1; s <= nsides; s++)
		if (of_side("time", side[s]) > 0)
			print "| " side[s] " |" cell(of_side("time", side[s])) (cpu ? cell(of_side("CPU", side[s])) : "")
	for (p = 1; p <= npairs; p++) {
		split(pair[p], ab, "/")
		if (of_pair("time", ab[1], ab[2]) > 0)
			print "| **" ab[1] " / " ab[2] "** |" cell(of_pair("time", ab[1], ab[2])) \
				(cpu ? cell(of_pair("CPU", ab[1], ab[2])) : "")
	}
}
