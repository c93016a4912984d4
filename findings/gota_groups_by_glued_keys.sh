#!/usr/bin/env bash
# gota 0.12.0 (Go): `GroupBy` takes rows for one group whose keys are different: it prints the keys, numbers with six
# places, and glues them together with "_". All numbers nearer than a millionth to each other are one key, which then
# bears the value of its first row, and "us_east" with "1" is the same as "us" with "east_1". Nothing is said; sums and
# counts per rate, dose or concentration are those of other groups.
#
# Seen, sums of 1, 10 and 100 for the rates 0.0000001, 0.0000002 and 0.5: two groups, 11 and 100; sums of 1 and 10 for
#   (us_east, 1) and (us, east_1): one group, 11
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOFLAGS=-modcacherw
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/go-gota/gota/dataframe"
	"github.com/go-gota/gota/series"
)

func sums(rows dataframe.DataFrame, keys ...string) []float64 {
	kinds := []dataframe.AggregationType{dataframe.Aggregation_SUM}
	grouped := rows.GroupBy(keys...).Aggregation(kinds, []string{"amount"})
	return grouped.Arrange(dataframe.Sort("amount_SUM")).Col("amount_SUM").Float()
}

func main() {
	rates := dataframe.New(
		series.New([]float64{0.0000001, 0.0000002, 0.5}, series.Float, "rate"),
		series.New([]float64{1, 10, 100}, series.Float, "amount"),
	)
	places := dataframe.New(
		series.New([]string{"us_east", "us"}, series.String, "region"),
		series.New([]string{"1", "east_1"}, series.String, "zone"),
		series.New([]float64{1, 10}, series.Float, "amount"),
	)
	fmt.Println("by rate", sums(rates, "rate"), "by region and zone", sums(places, "region", "zone"))
}
GO
go mod init finding 2>/dev/null
go mod edit -require=github.com/go-gota/gota@v0.12.0
go mod tidy 2>/dev/null
found=$(go run .)
echo "gota 0.12.0: $found"
[ "$found" = "by rate [11 100] by region and zone [11]" ]
