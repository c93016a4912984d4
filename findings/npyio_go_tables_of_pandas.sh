#!/usr/bin/env bash
# npyio 0.6.0 (Go): an array that NumPy stored column by column is read into a slice in that order, and nothing says so:
# of the rows 1 2 3 and 4 5 6 comes 1 4 2 5 3 6, which the shape in the header turns into the rows 1 4 2 and 5 3 6. Into
# gonum's `mat.Dense` the same file is read right, and so is a file whose rows are stored one by one. pandas keeps a
# table by columns, `to_numpy` of it is such an array, and `numpy.save` keeps its order: a matrix of features that is
# handed to a service in Go has its values in other rows and columns, without a value being lost.
#
# Seen, of a DataFrame of 1 2 3 and 4 5 6: slice [1 4 2 5 3 6], mat.Dense 1 2 3 and 4 5 6; of the same stored by rows,
#   slice [1 2 3 4 5 6]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOFLAGS=-modcacherw
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pandas==3.1.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy
import pandas

values = pandas.DataFrame({"a": [1.0, 4.0], "b": [2.0, 5.0], "c": [3.0, 6.0]}).to_numpy()
assert values.tolist() == [[1, 2, 3], [4, 5, 6]] and values.flags.f_contiguous
numpy.save("columns.npy", values)
numpy.save("rows.npy", numpy.ascontiguousarray(values))
PYTHON
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/sbinet/npyio"
	"gonum.org/v1/gonum/mat"
)

func read(name string, target any) {
	file, err := os.Open(name)
	if err == nil {
		err = npyio.Read(file, target)
	}
	if err != nil {
		panic(err)
	}
}

func main() {
	for _, name := range []string{"columns.npy", "rows.npy"} {
		var values []float64
		var matrix mat.Dense
		read(name, &values)
		read(name, &matrix)
		fmt.Println(name, "slice", values, "mat.Dense", matrix.RawMatrix().Data)
	}
}
GO
go mod init finding 2>/dev/null
go mod edit -require=github.com/sbinet/npyio@v0.6.0
go mod tidy 2>/dev/null
found=$(go run .)
echo "npyio 0.6.0:"
echo "$found"
[ "$found" = "columns.npy slice [1 4 2 5 3 6] mat.Dense [1 2 3 4 5 6]
rows.npy slice [1 2 3 4 5 6] mat.Dense [1 2 3 4 5 6]" ]
