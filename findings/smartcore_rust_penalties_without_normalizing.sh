#!/usr/bin/env bash
# smartcore 0.7.0 (Rust): with `normalize: false`, chosen where columns have one scale or are scaled already, ridge and
# lasso do not fit. Ridge leaves out the constant term, and gives 0 as its intercept; lasso takes the mean of the labels
# for it and leaves the columns where they are, which is right only for columns with a mean of zero. Of a straight line
# that least squares finds exactly, each of them makes another one under a penalty next to nothing. The option is
# described as one about the columns' mean and deviation, and lasso's `fit_intercept` is true by default. Whoever
# compares both settings in a grid takes what follows for a property of the data.
#
# Seen, of y = 100 + x for x = 1 to 6, penalty 0.001, predictions for 1 and 6: least squares 101 106; normalized, ridge
#   and lasso 101 106; not normalized, ridge 24.1 144.5, lasso 103.7 104.7
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.1.0"
edition = "2021"

[dependencies]
smartcore = "=0.7.0"
TOML
cat >src/main.rs <<'RUST'
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::lasso::{Lasso, LassoParameters};
use smartcore::linear::linear_regression::LinearRegression;
use smartcore::linear::ridge_regression::{RidgeRegression, RidgeRegressionParameters};

fn main() {
    let rows: Vec<Vec<f64>> = (1..=6).map(|place| vec![f64::from(place)]).collect();
    let table = DenseMatrix::from_2d_vec(&rows).unwrap();
    let values: Vec<f64> = rows.iter().map(|row| 100.0 + row[0]).collect();
    let ends = |predicted: Vec<f64>| format!("{:.1} {:.1}", predicted[0], predicted[5]);
    let least = LinearRegression::fit(&table, &values, Default::default()).unwrap();
    println!("least squares {}", ends(least.predict(&table).unwrap()));
    for normalize in [true, false] {
        let ridge = RidgeRegressionParameters::default().with_alpha(0.001).with_normalize(normalize);
        let ridge = RidgeRegression::fit(&table, &values, ridge).unwrap();
        let lasso = LassoParameters::default().with_alpha(0.001).with_normalize(normalize);
        let lasso = Lasso::fit(&table, &values, lasso).unwrap();
        print!("normalize {normalize}: ridge {}", ends(ridge.predict(&table).unwrap()));
        println!(", lasso {}", ends(lasso.predict(&table).unwrap()));
    }
}
RUST
found=$(cargo run --quiet 2>cargo.log)
echo "smartcore 0.7.0:"
echo "$found"
[ "$found" = "least squares 101.0 106.0
normalize true: ridge 101.0 106.0, lasso 101.0 106.0
normalize false: ridge 24.1 144.5, lasso 103.7 104.7" ]
