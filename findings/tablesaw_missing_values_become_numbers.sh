#!/usr/bin/env bash
# tablesaw 0.44.4 (Java): missing values turn into numbers. `round` makes zeros of them, `asDoubleColumn` of a column of
# flags -128, beside 0 and 1, and `timeWindow` of dates gives them a window of their own, -1815368 weeks from the first;
# `isBefore` selects rows without a date. `abs`, `add` and `isLessThan` of the same columns keep to missing. Nothing is
# said; means of rounded amounts are too small, models learn from a flag of -128, and "all contracts that ended before"
# takes those that have not ended.
#
# Seen, of 3, missing, 10: round 3 0 10, abs 3 missing 10; of true, missing, false 1 -128 0; of two dates and a missing
#   one: windows 0 4 -1815368, before February 2024: two rows, where one is
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >pom.xml <<'XML'
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>tech.tablesaw</groupId><artifactId>tablesaw-core</artifactId><version>0.44.4</version>
    </dependency>
  </dependencies>
</project>
XML
mvn --quiet --batch-mode -Dmaven.repo.local="$folder/repository" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory=lib >maven.log 2>&1
cat >Finding.java <<'JAVA'
import java.time.LocalDate;
import java.time.temporal.ChronoUnit;
import tech.tablesaw.api.BooleanColumn;
import tech.tablesaw.api.DateColumn;
import tech.tablesaw.api.DoubleColumn;

class Finding {
  public static void main(String[] arguments) {
    DoubleColumn amounts = DoubleColumn.create("amount", new Double[] {3.0, null, 10.0});
    System.out.println("round " + amounts.round().asList() + " abs " + amounts.abs().asList());
    BooleanColumn flags = BooleanColumn.create("flag", new Boolean[] {true, null, false});
    System.out.println("flags " + flags.asDoubleColumn().asList() + " missing " + flags.countMissing());
    DateColumn dates = DateColumn.create("end", LocalDate.of(2024, 1, 31), LocalDate.of(2024, 3, 1), null);
    DateColumn early = dates.where(dates.isBefore(LocalDate.of(2024, 2, 1)));
    System.out.println("windows " + dates.timeWindow(ChronoUnit.WEEKS, 1).asList() + " before " + early.asList());
  }
}
JAVA
found=$(java -cp "lib/*" Finding.java 2>/dev/null)
echo "tablesaw 0.44.4:"
echo "$found"
[ "$found" = "round [3.0, 0.0, 10.0] abs [3.0, null, 10.0]
flags [1.0, -128.0, 0.0] missing 1
windows [0, 4, -1815368] before [2024-01-31, null]" ]
