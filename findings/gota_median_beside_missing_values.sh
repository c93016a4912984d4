#!/usr/bin/env bash
# gota 0.12.0 (Go): the median of a series with missing values counts them as the largest ones: of 1, 2, 3 and one
# missing it is 2.5, with two missing 3, and with three NaN. The mean is NaN as soon as one value is missing, the
# smallest and the largest value leave missing ones out, as the median does in pandas and Polars: this is neither, looks
# like a number, and grows with the share of what is unknown.
#
# Seen, medians of 1, 2, 3 with 0, 1, 2, 3 and 4 missing: 2 2.5 3 NaN NaN
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOFLAGS=-modcacherw
cat >main.go <<'GO'
package main

import (
	"fmt"
	"math"

	"github.com/go-gota/gota/series"
)

func main() {
	values := []float64{1, 2, 3}
	for missing := 0; missing <= 4; missing++ {
		column := series.New(values, series.Float, "x")
		fmt.Print(column.Median(), " ")
		values = append(values, math.NaN())
	}
	column := series.New([]float64{1, 2, 3, math.NaN()}, series.Float, "x")
	fmt.Println("mean", column.Mean(), "min", column.Min(), "max", column.Max())
}
GO
go mod init finding 2>/dev/null
go mod edit -require=github.com/go-gota/gota@v0.12.0
go mod tidy 2>/dev/null
found=$(go run .)
echo "gota 0.12.0: $found"
[ "$found" = "2 2.5 3 NaN NaN mean NaN min 1 max 3" ]
