#!/usr/bin/env bash
# npyio 0.6.0 (Go): NumPy's strings are read as their bytes. NumPy stores four of them for each character, and as many
# characters for every string as the longest has: of "ab" beside "xyz" comes "a", three zero bytes, "b" and seven more,
# which looks like "ab" when it is printed, and "é" becomes the sign for what is no character, as does every other
# letter beyond ASCII. Strings of bytes come out right, and strings that npyio writes are read right by NumPy. Nothing
# is said: labels and ids never equal what they are looked up by, and a join by them is empty.
#
# Seen, of "ab", "é" and "xyz": lengths 12, 14, 12, equal to what was stored 0 of 3, with a character replaced 1; as
#   bytes, of "ab" and "xyz": lengths 2 and 3, equal 2 of 2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOFLAGS=-modcacherw
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy

numpy.save("text.npy", numpy.array(["ab", "é", "xyz"]))
numpy.save("bytes.npy", numpy.array([b"ab", b"xyz"]))
PYTHON
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/sbinet/npyio"
)

func main() {
	for name, stored := range map[string][]string{"text.npy": {"ab", "é", "xyz"}, "bytes.npy": {"ab", "xyz"}} {
		file, err := os.Open(name)
		var words []string
		if err == nil {
			err = npyio.Read(file, &words)
		}
		if err != nil {
			panic(err)
		}
		equal, replaced, lengths := 0, 0, []int{}
		for place, word := range words {
			lengths = append(lengths, len(word))
			if word == stored[place] {
				equal++
			}
			if strings.ContainsRune(word, utf8.RuneError) {
				replaced++
			}
		}
		fmt.Println(name, "lengths", lengths, "equal", equal, "of", len(stored), "replaced", replaced)
	}
}
GO
go mod init finding 2>/dev/null
go mod edit -require=github.com/sbinet/npyio@v0.6.0
go mod tidy 2>/dev/null
found=$(go run . | sort)
echo "npyio 0.6.0:"
echo "$found"
[ "$found" = "bytes.npy lengths [2 3] equal 2 of 2 replaced 0
text.npy lengths [12 14 12] equal 0 of 3 replaced 1" ]
