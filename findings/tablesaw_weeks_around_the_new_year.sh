#!/usr/bin/env bash
# tablesaw 0.44.4 (Java): `yearWeek`, whose text is to sort in the order of time, puts the last days of most Decembers
# into the first week of the same year, a year too early: 2024-12-30 is "2024-01", beside 1 January 2024, and with the
# weeks of Europe 2021-01-01 is "2021-53", after all of 2021. The number of the week belongs to a year of weeks, the
# year beside it is that of the calendar. Sums by week add up days that lie a year apart.
#
# Seen, of 2024-01-01, 2024-12-30 and 2021-01-01: in the USA 2024-01 2024-01 2021-01, due 2024-01 2025-01 2021-01; in
#   Germany 2024-01 2024-01 2021-53, due, also by the date program, 2024-01 2025-01 2020-53
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
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import tech.tablesaw.api.DateColumn;

class Finding {
  public static void main(String[] arguments) {
    DateColumn days = DateColumn.create("day");
    List<String> due = new ArrayList<>();
    for (String day : arguments) {
      days.append(LocalDate.parse(day));
      due.add(DateTimeFormatter.ofPattern("YYYY-ww", Locale.getDefault()).format(LocalDate.parse(day)));
    }
    System.out.println(String.join(" ", days.yearWeek().asList()) + " due " + String.join(" ", due));
  }
}
JAVA
days=(2024-01-01 2024-12-30 2021-01-01)
found=$(for place in "en US" "de DE"; do
    read -r language country <<<"$place"
    echo "$country $(java -Duser.language="$language" -Duser.country="$country" -cp "lib/*" Finding.java "${days[@]}" \
        2>/dev/null)"
done
echo "date $(for day in "${days[@]}"; do date --date="$day" +%G-%V; done | paste --serial --delimiters=" ")")
echo "tablesaw 0.44.4:"
echo "$found"
[ "$found" = "US 2024-01 2024-01 2021-01 due 2024-01 2025-01 2021-01
DE 2024-01 2024-01 2021-53 due 2024-01 2025-01 2020-53
date 2024-01 2025-01 2020-53" ]
